// The Venus host for Swift: a thin wrapper around venus_host.h, whose errors are thrown with their whole sentence.
//
// What each function does, and on which threads callbacks come, stands in venus_host.h. Objects here give back what they
// hold when they are released.
//
// Left out is:
// - of a host's options: the limit of objects, the validation layer, the callback for fences that retire (retiredDescriptor
//   and nextRetired() are here), and the program of worker processes. So `.process` is for systems where the library starts
//   itself, which are Linux alone;
// - venus_worker_main(), and venus_set_log();
// - importing and exporting descriptors, and what an importer of opaque storage has to know;
// - of statistics: rings, heaps, allocations, the bytes of them that are resources, and messages of the validation layer.
//
// Whoever needs one of these makes the host with the functions of CVenusHost themselves.

import CVenusHost

/// Why a call failed.
public struct VenusError: Error, CustomStringConvertible {
    /// A positive number of `errno`.
    public let code: Int32
    /// What is wrong and, where that helps, what to do about it.
    public let message: String

    public var description: String { "\(message) (errno \(code))" }

    static func last(_ result: Int32) -> VenusError {
        VenusError(code: -result, message: String(cString: venus_last_error()))
    }
}

/// Throws what went wrong, or passes the result on.
@discardableResult
private func check(_ result: Int32) throws -> Int32 {
    if result < 0 { throw VenusError.last(result) }
    return result
}

/// The library, apart from its hosts.
public enum Venus {
    /// The Venus capability set, which a guest reads before it makes a context, of hosts that are made without a level of the
    /// protocol.
    public static var capset: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(max(venus_capset(nil, 0), 0)))
        venus_capset(&bytes, bytes.count)
        return bytes
    }

    /// Whether the library is one that this wrapper was written for.
    public static var isCompatible: Bool {
        let (library, header) = (venus_host_version(), UInt32(VENUS_HOST_VERSION))
        return library >> 16 == header >> 16 && library & 0xffff >= header & 0xffff
    }
}

/// One virtio-gpu device: contexts, resources and fences by the numbers of the guest's kernel.
public final class VenusHost {
    /// Who serves a context.
    public enum Isolation: UInt32 {
        case standard = 0
        case thread = 1
        case polled = 2
        case process = 3
    }

    /// How busy the rings of polled contexts are, the busiest first.
    public enum Progress: Int32 {
        case worked = 0
        case empty = 1
        case blocked = 2
        case idle = 3
        case ended = 4
    }

    /// A fence that has retired.
    public struct RetiredFence: Equatable {
        public let context: UInt32
        public let ringIndex: UInt32
        public let fence: UInt64
        /// Whether what is before it is done; otherwise nobody will know.
        public let isDone: Bool
    }

    /// What a resource's storage is.
    public struct Blob {
        public enum Storage: UInt32 {
            case sharedMemory = 1
            case dmaBuf = 2
            case opaque = 3
            case pointer = 4
        }

        public let bytes: UInt64
        public let storage: Storage?
        /// As virtio-gpu has it.
        public let mapInfo: UInt32
    }

    private let handle: OpaquePointer

    /// A host without contexts. Touches no driver. `protocolLevel` is the level of the protocol at which guests are served: the
    /// newest if it is 0. `getInstanceProcAddr` is that of a Vulkan that the app has linked, such as MoltenVK.
    public init(
        isolation: Isolation = .standard, gpu: String? = nil, maxMemoryBytes: UInt64 = 0, protocolLevel: UInt32 = 0,
        getInstanceProcAddr: UnsafeRawPointer? = nil
    ) throws {
        var options = venus_host_options()
        options.size = MemoryLayout<venus_host_options>.size
        options.isolation = isolation.rawValue
        options.max_memory_bytes = maxMemoryBytes
        options.`protocol` = protocolLevel
        options.get_instance_proc_addr = getInstanceProcAddr
        var made: OpaquePointer?
        func create() throws { try check(venus_host_create(&options, &made)) }
        if let gpu {
            try gpu.withCString { text in
                options.gpu = text
                try create()
            }
        } else {
            try create()
        }
        handle = made!
    }

    /// Waits some seconds for contexts that are left.
    deinit {
        venus_host_destroy(handle, 6000)
    }

    /// The Venus capability set that guests of this device read.
    public var capset: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(max(venus_host_capset(handle, nil, 0), 0)))
        venus_host_capset(handle, &bytes, bytes.count)
        return bytes
    }

    // MARK: Contexts

    /// Makes a context: VIRTIO_GPU_CMD_CTX_CREATE.
    public func createContext(_ context: UInt32, name: String, isolation: Isolation = .standard) throws {
        var options = venus_context_options()
        options.size = MemoryLayout<venus_context_options>.size
        options.isolation = isolation.rawValue
        try name.withCString { text in
            options.name = text
            options.name_size = name.utf8.count
            try check(venus_host_create_context(handle, context, &options))
        }
    }

    /// Ends a context: VIRTIO_GPU_CMD_CTX_DESTROY. False if there is none.
    @discardableResult
    public func destroyContext(_ context: UInt32) -> Bool {
        venus_host_destroy_context(handle, context) > 0
    }

    /// Throws why a context is lost, if it is.
    public func checkContext(_ context: UInt32) throws {
        try check(venus_host_check_context(handle, context))
    }

    /// Executes whole commands: VIRTIO_GPU_CMD_SUBMIT_3D.
    public func submit(_ context: UInt32, _ commands: UnsafeRawBufferPointer) throws {
        try check(venus_host_submit(handle, context, commands.baseAddress, commands.count))
    }

    /// Executes what is in the rings of polled contexts, and never sleeps.
    public func processRings() throws -> Progress {
        Progress(rawValue: try check(venus_host_process_rings(handle))) ?? .idle
    }

    // MARK: Resources

    /// Creates a resource of a context's memory: VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB.
    public func createBlob(_ resource: UInt32, context: UInt32, flags: UInt32, blobID: UInt64, size: UInt64) throws {
        try check(venus_host_create_blob(handle, context, resource, flags, blobID, size))
    }

    /// Makes memory of the app's own a resource, in which rings can lie. It has to stay until `release` is called, once,
    /// on any thread.
    public func importMemory(
        _ resource: UInt32, _ memory: UnsafeMutableRawBufferPointer, release: @escaping @Sendable () -> Void
    ) throws {
        let box = Unmanaged.passRetained(Closure(release))
        let result = venus_host_import_memory(
            handle, resource, memory.baseAddress, memory.count,
            { user in Unmanaged<Closure>.fromOpaque(user!).takeRetainedValue().call() }, box.toOpaque())
        if result < 0 {
            box.release()
            throw VenusError.last(result)
        }
    }

    /// Lets a context know a resource: VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE.
    public func attach(_ resource: UInt32, context: UInt32) throws {
        try check(venus_host_attach_resource(handle, context, resource))
    }

    /// Lets a context forget a resource: VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE.
    public func detach(_ resource: UInt32, context: UInt32) {
        venus_host_detach_resource(handle, context, resource)
    }

    /// Drops a resource: VIRTIO_GPU_CMD_RESOURCE_UNREF. False if there is none.
    @discardableResult
    public func destroyResource(_ resource: UInt32) -> Bool {
        venus_host_destroy_resource(handle, resource) > 0
    }

    /// What a resource's storage is.
    public func describe(_ resource: UInt32) throws -> Blob {
        var blob = venus_blob()
        blob.size = MemoryLayout<venus_blob>.size
        try check(venus_host_describe_resource(handle, resource, &blob))
        return Blob(bytes: blob.bytes, storage: Blob.Storage(rawValue: blob.storage), mapInfo: blob.map_info)
    }

    /// Maps a resource into this process.
    public func map(_ resource: UInt32) throws -> VenusMapping {
        var mapping: OpaquePointer?
        var address: UnsafeMutableRawPointer?
        var size = 0
        try check(venus_host_map(handle, resource, &mapping, &address, &size))
        return VenusMapping(mapping!, UnsafeMutableRawBufferPointer(start: address, count: size))
    }

    // MARK: Fences

    /// Has a fence retire once everything before it on a timeline of a context is done.
    public func createFence(_ fence: UInt64, context: UInt32, ringIndex: UInt32) throws {
        try check(venus_host_create_fence(handle, context, ringIndex, fence))
    }

    /// The next fence that has retired.
    public func nextRetired() throws -> RetiredFence? {
        var fence = venus_retired_fence()
        fence.size = MemoryLayout<venus_retired_fence>.size
        guard try check(venus_host_next_retired(handle, &fence)) > 0 else { return nil }
        return RetiredFence(
            context: fence.context, ringIndex: fence.ring_idx, fence: fence.fence,
            isDone: fence.how == UInt32(VENUS_RETIRED_DONE))
    }

    /// Readable once fences have retired: for an event loop, such as a DispatchSource of it. The host's; do not close it.
    public var retiredDescriptor: Int32 {
        venus_host_retired_fd(handle)
    }

    // MARK: Statistics

    /// One look at all counters of a context.
    public func statistics(_ context: UInt32) throws -> VenusStatistics {
        var taken: OpaquePointer?
        try check(venus_host_statistics(handle, context, &taken))
        defer { venus_statistics_free(taken) }
        return try VenusStatistics(taken!)
    }
}

/// A mapping of a resource, which lasts as long as this object.
public final class VenusMapping {
    /// The guest may write there at any time.
    public let bytes: UnsafeMutableRawBufferPointer
    private let handle: OpaquePointer

    init(_ handle: OpaquePointer, _ bytes: UnsafeMutableRawBufferPointer) {
        (self.handle, self.bytes) = (handle, bytes)
    }

    deinit {
        venus_mapping_release(handle)
    }
}

/// What a context has done and what it holds.
public struct VenusStatistics {
    /// What became of one command, each time that it came.
    public struct Command {
        public let dispatched, handled, refused, failed: UInt64
    }

    public let executed, failures, submissions: UInt64
    public let deviceMemoryBytes, sharedMemoryBytes: UInt64
    public let isLost: Bool
    public let lastError: String
    /// By Vulkan's names; those that never came are not there.
    public let commands: [String: Command]
    /// How many objects there are, by the Vulkan names of their types.
    public let objects: [String: UInt64]

    init(_ taken: OpaquePointer) throws {
        var totals = venus_totals()
        totals.size = MemoryLayout<venus_totals>.size
        try check(venus_statistics_totals(taken, &totals))
        (executed, failures, submissions) = (totals.executed, totals.failures, totals.submissions)
        (deviceMemoryBytes, sharedMemoryBytes) = (totals.device_memory_bytes, totals.shared_memory_bytes)
        isLost = totals.is_lost != 0
        lastError = String(cString: venus_statistics_last_error(taken))
        var commands: [String: Command] = [:]
        var command = venus_command_statistics()
        command.size = MemoryLayout<venus_command_statistics>.size
        while try check(venus_statistics_command(taken, commands.count, &command)) > 0 {
            commands[String(cString: command.name)] = Command(
                dispatched: command.dispatched, handled: command.handled, refused: command.refused,
                failed: command.failed)
        }
        self.commands = commands
        var objects: [String: UInt64] = [:]
        var object = venus_object_statistics()
        object.size = MemoryLayout<venus_object_statistics>.size
        while try check(venus_statistics_object(taken, objects.count, &object)) > 0 {
            objects[String(cString: object.name)] = object.count
        }
        self.objects = objects
    }
}

/// A closure behind a pointer.
private final class Closure {
    let call: @Sendable () -> Void

    init(_ call: @escaping @Sendable () -> Void) {
        self.call = call
    }
}
