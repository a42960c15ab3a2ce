//! What the benchmarks share: messages as phones send them, and a node's engine to give them to.
