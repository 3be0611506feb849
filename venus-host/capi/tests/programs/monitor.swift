// A monitor in Swift: lends memory of its own to a host for its guest's ring, drives the host event by event, has the guest
// draw a triangle, and reads the statistics.

import CVenusGuest
import Glibc
import VenusHost

let context: UInt32 = 7
let size = 200

/// Fails the program.
func require(_ isSo: Bool, _ what: String) {
    if !isSo {
        print("not so: \(what)")
        exit(1)
    }
}

/// Counts what the host gives back, on whichever thread it does.
final class Lent: @unchecked Sendable {
    private var lock = pthread_mutex_t()
    private var count = 0

    init() { pthread_mutex_init(&lock, nil) }

    func add(_ number: Int) {
        pthread_mutex_lock(&lock)
        count += number
        pthread_mutex_unlock(&lock)
    }

    var now: Int {
        pthread_mutex_lock(&lock)
        defer { pthread_mutex_unlock(&lock) }
        return count
    }
}

/// The guest's side of the device.
final class Monitor {
    let host: VenusHost
    let lent = Lent()
    var lends = 0
    var events = 0
    private var lastResource: UInt32 = 0
    private var lastFence: UInt64 = 0
    private var mappings: [UInt32: VenusMapping] = [:]

    init(_ host: VenusHost) { self.host = host }

    /// Plain shared memory is the monitor's own: pages that it has allocated, as it has those of its guest.
    func createBlob(flags: UInt32, blobID: UInt64, size: UInt64) throws -> (UInt32, UnsafeMutableRawPointer) {
        lastResource += 1
        let resource = lastResource
        if blobID != 0 {
            try host.createBlob(resource, context: context, flags: flags, blobID: blobID, size: size)
            let mapping = try host.map(resource)
            mappings[resource] = mapping
            return (resource, mapping.bytes.baseAddress!)
        }
        let (pages, lent) = (Int(size), lent)
        let memory = mmap(nil, pages, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)!
        require(memory != MAP_FAILED, "there is memory")
        lent.add(1)
        lends += 1
        let address = UInt(bitPattern: memory)
        try host.importMemory(resource, UnsafeMutableRawBufferPointer(start: memory, count: pages)) {
            munmap(UnsafeMutableRawPointer(bitPattern: address), pages)
            lent.add(-1)
        }
        try host.attach(resource, context: context)
        return (resource, memory)
    }

    func destroyResource(_ resource: UInt32) {
        require(host.destroyResource(resource), "there was resource \(resource)")
        mappings[resource] = nil
    }

    /// One turn of the event loop.
    func turn() throws {
        if try host.processRings() == .worked { events += 1 }
        try host.checkContext(context)
    }

    func waitFence(ringIndex: UInt32) throws {
        lastFence += 1
        try host.createFence(lastFence, context: context, ringIndex: ringIndex)
        while true {
            if let retired = try host.nextRetired() {
                require(retired.fence == lastFence && retired.isDone, "the fence is done")
                return
            }
            try turn()
            var readable = pollfd(fd: host.retiredDescriptor, events: Int16(POLLIN), revents: 0)
            require(poll(&readable, 1, 1) >= 0, "poll")
        }
    }
}

/// Runs what a callback of C asks for; an error ends the guest.
func answer(_ user: UnsafeMutableRawPointer?, _ body: (Monitor) throws -> Void) -> Int32 {
    do {
        try body(Unmanaged<Monitor>.fromOpaque(user!).takeUnretainedValue())
        return 0
    } catch {
        print("the monitor: \(error)")
        return -1
    }
}

func drawTriangle(_ monitor: Monitor) -> [UInt8] {
    var pixels = [UInt8](repeating: 0, count: 4 * size * size)
    let capset = monitor.host.capset
    let drawn = capset.withUnsafeBytes { capset in
        var transport = venus_guest_transport(
            monitor: Unmanaged.passUnretained(monitor).toOpaque(),
            capset: capset.baseAddress,
            capset_size: capset.count,
            create_blob: { user, flags, blobID, size, resource, address in
                answer(user) { (resource!.pointee, address!.pointee) = try $0.createBlob(flags: flags, blobID: blobID, size: size) }
            },
            destroy_resource: { user, resource in answer(user) { $0.destroyResource(resource) } },
            submit: { user, commands, size in
                answer(user) { try $0.host.submit(context, UnsafeRawBufferPointer(start: commands, count: size)) }
            },
            wait_fence: { user, ringIndex in answer(user) { try $0.waitFence(ringIndex: ringIndex) } },
            pause: { user in answer(user) { try $0.turn() } })
        return venus_guest_triangle(&transport, UInt32(size), &pixels)
    }
    require(drawn == 0, "the guest draws")
    return pixels
}

func pixel(_ pixels: [UInt8], _ x: Int, _ y: Int) -> [UInt8] {
    Array(pixels[4 * (size * y + x) ..< 4 * (size * y + x) + 4])
}

func run() throws {
    require(Venus.isCompatible, "header and library belong together")
    let host = try VenusHost()
    try host.createContext(context, name: "triangle", isolation: .polled)
    let monitor = Monitor(host)

    let pixels = drawTriangle(monitor)
    let background = pixel(pixels, 0, 0)
    for (x, y) in [(199, 0), (0, 199), (199, 199), (100, 10), (20, 60), (180, 60)] {
        require(pixel(pixels, x, y) == background, "the background is plain at (\(x), \(y))")
    }
    for (colour, (x, y)) in [(100, 32), (172, 166), (28, 166)].enumerated() {
        let strongest = pixel(pixels, x, y).prefix(3).enumerated().max { $0.element < $1.element }!.offset
        require(strongest == colour, "the corner at (\(x), \(y)) has its colour")
    }
    require(monitor.lends >= 2 && monitor.lent.now == 0, "the memory of ring and replies is given back")

    let statistics = try host.statistics(context)
    require(statistics.commands["vkCmdDraw"]?.handled == 1, "one triangle was drawn")
    require(statistics.submissions == 1 && !statistics.isLost && statistics.lastError == "", "nothing failed")

    do {
        try host.attach(99, context: context)
        require(false, "there is no resource 99")
    } catch let error as VenusError {
        require(error.message.contains("99"), "the error has a sentence: \(error)")
    }
    require(host.destroyContext(context) && !host.destroyContext(context), "a context ends once")
    print("drew a triangle in \(monitor.events) events, \(statistics.executed) commands, \(monitor.lends) lent memories")
}

do {
    try run()
} catch {
    print("\(error)")
    exit(1)
}
