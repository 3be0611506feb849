// Asks the library what it is, through the wrapper.

import VenusHost

print("compatible: \(Venus.isCompatible), a capability set of \(Venus.capset.count) bytes")
