//! The life of objects: who goes with whom, and that the driver frees each once.
