//! The rooms of the workspace and what must not be used in them, as data.

/// One room, or several under the same rule.
pub(super) struct Rule {
    /// How messages call it.
    pub(super) room: &'static str,
    /// Files and folders, from the workspace's root.
    pub(super) rooms: &'static [&'static str],
    /// Paths below these that the rule leaves alone.
    pub(super) except: &'static [&'static str],
    /// Words that may not stand in their code.
    pub(super) forbidden: &'static [&'static str],
    /// What the rule protects, and where the thing belongs instead.
    pub(super) why: &'static str,
}

/// Every rule, in the order in which data flows.
pub(super) const RULES: &[Rule] = &[
    Rule {
        room: "venus-gen",
        rooms: &["venus-gen/src"],
        except: &[],
        forbidden: &["std::fs", "std::env", "std::time", "std::net", "std::process", "HashMap", "HashSet"],
        why: "the generator is a pure function from text to text with the same output every time: xtask reads and writes \
              files, and maps are BTreeMap or Vec in registry order",
    },
    Rule {
        room: "the generator outside of its XML readers",
        rooms: &["venus-gen/src"],
        except: &["venus-gen/src/parse/", "venus-gen/src/reduce/", "venus-gen/src/xml.rs"],
        forbidden: &["quick_xml"],
        why: "XML ends in `parse`; everything after it works on plain records",
    },
    Rule {
        room: "parse",
        rooms: &["venus-gen/src/parse"],
        except: &[],
        forbidden: &["crate::model", "crate::resolve", "crate::lower", "crate::emit", "proc_macro2", "quote", "syn"],
        why: "parsing turns text into records and decides nothing; meaning is given in `resolve`",
    },
    Rule {
        room: "model",
        rooms: &["venus-gen/src/model"],
        except: &[],
        forbidden: &["crate::lower", "crate::emit", "proc_macro2", "quote", "syn"],
        why: "the model is plain data that knows neither the wire nor Rust's syntax",
    },
    Rule {
        room: "resolve",
        rooms: &["venus-gen/src/resolve"],
        except: &[],
        forbidden: &["crate::lower", "crate::emit", "proc_macro2", "quote", "syn"],
        why: "passes over the model make no tokens; how a thing looks in Rust is decided in `emit`",
    },
    Rule {
        room: "lower",
        rooms: &["venus-gen/src/lower"],
        except: &[],
        forbidden: &["crate::parse", "crate::emit", "proc_macro2", "quote", "syn"],
        why: "decisions about the wire are made from the resolved model alone, and make no tokens",
    },
    Rule {
        room: "emit",
        rooms: &["venus-gen/src/emit"],
        except: &[],
        forbidden: &["crate::parse", "crate::xml"],
        why: "emitters print a plan; a look back at the XML would decide something a second time",
    },
    Rule {
        room: "venus-protocol",
        rooms: &["venus-protocol/src"],
        except: &[],
        forbidden: &[
            "std::os",
            "std::fs",
            "std::io",
            "std::net",
            "std::thread",
            "libc",
            "rustix",
            "libloading",
            "tracing",
            "log",
        ],
        why: "the protocol crate turns bytes into values and back: no files, no threads, no loader, no logging",
    },
    Rule {
        room: "generated code",
        rooms: &["venus-protocol/src/generated"],
        except: &[],
        forbidden: &["std::alloc", "alloc::alloc"],
        why: "generated code reaches memory only through the helpers of `wire`, where the proofs are",
    },
    Rule {
        room: "handlers",
        rooms: &["venus-host/src/handlers"],
        except: &[],
        forbidden: &["crate::vtest", "crate::ring::region", "std::net", "std::os::unix::net", "libc", "rustix"],
        why: "handlers are policy over objects and driver calls; bytes, sockets and shared memory were dealt with before",
    },
    Rule {
        room: "driver",
        rooms: &["venus-host/src/driver"],
        except: &[],
        forbidden: &[
            "venus_protocol::wire",
            "crate::object::id",
            "crate::object::table",
            "crate::object::Table",
            "crate::handlers",
            "crate::vtest",
            "crate::ring",
            "ObjectId",
        ],
        why: "the driver room calls Vulkan with Vulkan's own handles; guests and their ids are unknown to it",
    },
    Rule {
        room: "recording",
        rooms: &["venus-host/observe/src/recording"],
        except: &[],
        forbidden: &["venus_host::context", "venus_host::vtest", "ash", "reflect"],
        why: "a recording is bytes and when they came; what they mean is for those who read it",
    },
    Rule {
        room: "dump",
        rooms: &["venus-host/observe/src/dump"],
        except: &["venus-host/observe/src/dump/tests"],
        forbidden: &[
            "venus_host::context",
            "venus_host::driver",
            "venus_host::endpoint",
            "venus_host::resource",
            "venus_host::vtest",
            "rustix",
            "ash",
        ],
        why: "the printer works from the tables alone, on any machine, with no driver",
    },
    Rule {
        room: "replay",
        rooms: &["venus-host/observe/src/replay"],
        except: &[],
        forbidden: &["venus_host::vtest", "rustix", "libc", "std::net"],
        why: "a player feeds a context as an embedder does: all that a recording holds goes through the interpreter",
    },
    Rule {
        room: "trace",
        rooms: &["venus-host/observe/src/trace"],
        except: &[],
        forbidden: &["venus_host::context", "venus_host::vtest", "ash"],
        why: "a tracer is told what happens and asks nobody",
    },
    Rule {
        room: "ring, vtest, ffi",
        rooms: &["venus-host/src/ring", "venus-host/src/vtest", "venus-host/src/ffi"],
        except: &[],
        forbidden: &["crate::driver", "crate::handlers", "crate::object", "ash", "venus_protocol::vk"],
        why: "transports move bytes between a guest and its context; what the bytes mean is decided behind `context`",
    },
];
