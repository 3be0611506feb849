// swift-tools-version: 5.9
// The Venus host for Swift Package Manager. pkg-config finds the library: PKG_CONFIG_PATH names the folder with
// venus-host.pc, which is lib/pkgconfig of an installation.

import PackageDescription

let package = Package(
    name: "VenusHost",
    platforms: [.macOS(.v11)],
    products: [.library(name: "VenusHost", targets: ["VenusHost"])],
    targets: [
        .systemLibrary(name: "CVenusHost", path: "include", pkgConfig: "venus-host"),
        .target(
            name: "VenusHost", dependencies: ["CVenusHost"], path: ".", exclude: ["include"], sources: ["VenusHost.swift"]),
    ]
)
