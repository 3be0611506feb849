//! What the host does with each command, as the sources of its handlers say.
//!
//! Handlers are rows of a few macros, and methods for what needs more. A row says everything; of a method its
//! documentation tells why it is one.

use super::all_or_nothing;
use super::protocol::Protocol;
use super::source::{constant, first_sentence, parse, string};
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use syn::parse::{Parse, ParseStream};
use syn::{Expr, Ident, ImplItem, Item, Token, Type, parenthesized};

const FOLDER: &str = "venus-host/src/handlers";

/// The family that is none of Vulkan's.
const TRANSPORT: &str = "venus-host/src/context/transport.rs";

/// Why there are rows of `bounded!`.
const BOUNDED: &str = "Left out where it names more than drivers have room for in a command buffer";

/// Why there are rows of `compared!`.
const COMPARED: &str = "Left out where it names more of an object than that has";

/// Why there are rows of `queried!`.
const QUERIED: &str = "Left out where it uses queries that the pool does not have";

/// Why there are rows of `trimmed!`.
const TRIMMED: &str = "What is said of attachments that there cannot be is taken away";

/// What becomes of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// The driver gets it as it is.
    Forward,
    /// The driver gets it as it is, and what it made is registered.
    Create,
    /// The id disappears, and the driver gets it once nobody can be using the object.
    Destroy,
    /// A method of its own, for this reason.
    Handler(Option<String>),
    /// It ends the context, for this reason.
    Refused(String),
}

impl Treatment {
    /// The word for it in tables.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Create => "create",
            Self::Destroy => "destroy",
            Self::Handler(_) => "handler",
            Self::Refused(_) => "refused",
        }
    }

    /// The reason, where there is one.
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Handler(Some(reason)) | Self::Refused(reason) => reason,
            Self::Forward | Self::Create | Self::Destroy | Self::Handler(None) => "",
        }
    }
}

/// Treatments by canonical name, with the file.
pub(super) type Treatments = BTreeMap<String, (Treatment, String)>;

/// Reads all handlers.
pub(super) fn read(root: &Path) -> Result<Treatments> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root.join(FOLDER)).with_context(|| format!("listing {FOLDER}"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rs") && name != "mod.rs" {
            names.push(name);
        }
    }
    names.sort();
    let mut paths: Vec<_> = names.iter().map(|name| (format!("{FOLDER}/{name}"), name.as_str())).collect();
    paths.push((TRANSPORT.to_owned(), "transport.rs"));
    let mut treatments = Treatments::new();
    for (path, name) in paths {
        let file = parse(root, &path)?;
        read_file(&file, name, &mut treatments).with_context(|| format!("reading the handlers of {path}"))?;
    }
    Ok(treatments)
}

fn read_file(file: &syn::File, name: &str, treatments: &mut Treatments) -> Result<()> {
    let is_family = |item: &&syn::ItemImpl| {
        let of = item.trait_.as_ref().and_then(|(path, ..)| path.segments.last());
        of.is_some_and(|last| last.ident.to_string().ends_with("Commands"))
    };
    let implementations =
        file.items.iter().filter_map(|item| if let Item::Impl(item) = item { Some(item) } else { None });
    for item in implementations.filter(is_family).flat_map(|item| &item.items) {
        let found = match item {
            ImplItem::Macro(item) => rows(file, &item.mac)?,
            ImplItem::Fn(method) => vec![(method_command(method)?, Treatment::Handler(reason_of(file, method)))],
            _ => Vec::new(),
        };
        for (command, treatment) in found {
            treatments.insert(command, (treatment, name.to_owned()));
        }
    }
    Ok(())
}

/// The rows of one macro.
fn rows(file: &syn::File, mac: &syn::Macro) -> Result<Vec<(String, Treatment)>> {
    let kind = mac.path.get_ident().map(Ident::to_string).unwrap_or_default();
    let rows: Rows = mac.parse_body().with_context(|| format!("the rows of {kind}!"))?;
    let treatment = |row: &Row| {
        Ok(match (kind.as_str(), &row.reason) {
            ("forward" | "forward_physical", None) => Treatment::Forward,
            ("create", None) => Treatment::Create,
            ("destroy", None) => Treatment::Destroy,
            ("bounded", Some(_)) => Treatment::Handler(Some(BOUNDED.to_owned())),
            ("compared", Some(_)) => Treatment::Handler(Some(COMPARED.to_owned())),
            ("queried", Some(_)) => Treatment::Handler(Some(QUERIED.to_owned())),
            ("trimmed", None) => Treatment::Handler(Some(TRIMMED.to_owned())),
            ("refuse", Some(reason)) => Treatment::Refused(text(file, reason)?),
            _ => bail!("{kind}! is new: teach xtask/src/commands/handlers.rs what it means"),
        })
    };
    rows.0.iter().map(|row| Ok((command_of(&row.args)?, treatment(row)?))).collect()
}

/// `method(Args<'_>).field => reason;`, the last two where the macro has them.
struct Row {
    args: Type,
    reason: Option<Expr>,
}

struct Rows(Vec<Row>);

impl Parse for Rows {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut rows = Vec::new();
        while !input.is_empty() {
            input.parse::<Ident>()?;
            let inside;
            parenthesized!(inside in input);
            let args = inside.parse()?;
            if input.parse::<Option<Token![.]>>()?.is_some() {
                input.parse::<Ident>()?;
            }
            let has_reason = input.parse::<Option<Token![=>]>>()?.is_some();
            let reason = if has_reason { Some(input.parse()?) } else { None };
            input.parse::<Token![;]>()?;
            rows.push(Row { args, reason });
        }
        Ok(Self(rows))
    }
}

/// A string, or a constant of the same file that is one.
fn text(file: &syn::File, expr: &Expr) -> Result<String> {
    let named = match expr {
        Expr::Path(path) => path.path.get_ident().map(Ident::to_string),
        _ => None,
    };
    let value = match named {
        Some(name) => constant(file, &name)?,
        None => expr,
    };
    string(value).context("a reason is neither a string nor a constant of its file")
}

/// `CmdDrawArgs<'_>` to `vkCmdDraw`.
fn command_of(args: &Type) -> Result<String> {
    let last = match args {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    };
    let name = last.map(|segment| segment.ident.to_string()).unwrap_or_default();
    let command = name.strip_suffix("Args").with_context(|| format!("{name} are no command's arguments"))?;
    Ok(format!("vk{command}"))
}

/// The command that a method handles, by the type of its argument.
fn method_command(method: &syn::ImplItemFn) -> Result<String> {
    let args = method.sig.inputs.iter().find_map(|input| match input {
        syn::FnArg::Typed(argument) => match &*argument.ty {
            Type::Reference(reference) => Some(&*reference.elem),
            _ => None,
        },
        syn::FnArg::Receiver(_) => None,
    });
    command_of(args.with_context(|| format!("{} takes no arguments of a command", method.sig.ident))?)
}

/// Why there is a method: what its documentation says first, else what it calls, else what its whole file is about.
fn reason_of(file: &syn::File, method: &syn::ImplItemFn) -> Option<String> {
    const CALLS: &[(&str, &str)] = &[
        ("sanitize", "Lengths that are said twice are compared first"),
        ("adopt_pooled", "What is allocated belongs to its pool"),
        ("adopt_pool", "Pools remember what is allocated from them"),
        ("unregister_pooled", "Checks that all of them are the pool's, and waits until nobody can be using them"),
        ("untyped", "The object is named by type and number, which the host turns into the driver's handle"),
        ("allocate_memory", "What a guest can map is made so that it can be shared"),
        ("forward_locked", "The queue is locked: its timeline submits to it too"),
        ("retire_device", "Takes everything along that belongs to the device"),
        ("external", "External handle types are the host's to answer"),
        ("memory_plan", "Types that cannot reach the guest lose HOST_VISIBLE"),
        ("properties", "Versions are capped at what the protocol can carry"),
        ("Device", "The host adds what it needs, and gets all queues at once"),
        ("offered_extensions", "The driver's list, less what `driver/extensions.rs` withholds"),
    ];
    first_sentence(&method.attrs).or_else(|| {
        let mut called = Called::default();
        syn::visit::Visit::visit_block(&mut called, &method.block);
        let known = CALLS.iter().find(|(name, _)| called.0.iter().any(|other| other == name));
        known.map(|(_, why)| (*why).to_owned()).or_else(|| first_sentence(&file.attrs))
    })
}

/// The identifiers of a method's body.
#[derive(Default)]
struct Called(Vec<String>);

impl<'ast> syn::visit::Visit<'ast> for Called {
    fn visit_ident(&mut self, ident: &'ast Ident) {
        self.0.push(ident.to_string());
    }
}

/// Fails unless exactly the commands that travel are handled.
pub(super) fn check(protocol: &Protocol, treatments: &Treatments) -> Result<()> {
    let mut problems = Vec::new();
    for command in protocol.encodable() {
        match treatments.get(&command.name) {
            None => problems.push(format!("{} is not handled, as far as {FOLDER} can be read", command.name)),
            Some((Treatment::Handler(None), file)) => {
                problems.push(format!("{FOLDER}/{file}: the method of {} does not say why it is one", command.name));
            }
            Some(_) => {}
        }
    }
    for (name, (_, file)) in treatments {
        if !protocol.encodable().any(|command| command.name == *name) {
            problems.push(format!("{FOLDER}/{file} handles {name}, which is no command that travels"));
        }
    }
    all_or_nothing(&problems)
}

/// The table that the handler tests read.
pub(super) fn table(protocol: &Protocol, treatments: &Treatments) -> String {
    let mut text = "command\ttreatment\treason\n".to_owned();
    for command in protocol.encodable() {
        if let Some((treatment, _)) = treatments.get(&command.name) {
            let _ = writeln!(text, "{}\t{}\t{}", command.name, treatment.word(), treatment.reason());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Treatments> {
        let mut treatments = Treatments::new();
        read_file(&syn::parse_file(text).expect("the test is Rust"), "x.rs", &mut treatments)?;
        Ok(treatments)
    }

    #[test]
    fn rows_and_methods_are_read() {
        let treatments = read_text(
            r#"
            const WHY: &str = "for a \
                               reason";
            impl XCommands for Endpoint {
                forward! { cmd_draw(CmdDrawArgs); cmd_copy(CmdCopyArgs<'_>); }
                create! { create_x(CreateXArgs<'_>).p_x; }
                destroy! { destroy_x(DestroyXArgs).x; }
                refuse! { wait(WaitArgs) => WHY; join(JoinArgs<'_>) => "no"; }
                /// Does it itself. Not otherwise.
                fn seek(&mut self, args: &mut SeekArgs<'_>) -> Result<(), Interrupt> { Ok(()) }
                fn submit(&mut self, args: &mut SubmitArgs) -> Result<(), Interrupt> { self.forward_locked(args) }
            }
            "#,
        )
        .unwrap();
        let of = |name: &str| &treatments[name].0;
        assert_eq!([of("vkCmdDraw"), of("vkCmdCopy")], [&Treatment::Forward, &Treatment::Forward]);
        assert_eq!((of("vkCreateX"), of("vkDestroyX")), (&Treatment::Create, &Treatment::Destroy));
        assert_eq!([of("vkWait").reason(), of("vkJoin").reason()], ["for a reason", "no"]);
        assert_eq!(of("vkSeek"), &Treatment::Handler(Some("Does it itself".to_owned())));
        assert!(of("vkSubmit").reason().starts_with("The queue is locked"));
    }

    #[test]
    fn what_is_new_is_an_error() {
        assert!(read_text("impl XCommands for D { ignore! { cmd_draw(CmdDrawArgs); } }").is_err());
    }
}
