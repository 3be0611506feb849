// swift-tools-version: 5.9
// An app that depends on an installed wrapper.

import PackageDescription

let package = Package(
    name: "app",
    dependencies: [.package(path: "../share/venus/swift")],
    targets: [.executableTarget(name: "app", dependencies: [.product(name: "VenusHost", package: "swift")])]
)
