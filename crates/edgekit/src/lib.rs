#![doc = include_str!("../README.md")]
#![deny(unsafe_code)]

#[cfg(feature = "adaptive-cache")]
#[doc(inline)]
pub use edgekit_adaptive_cache as adaptive_cache;
#[cfg(feature = "batcher")]
#[doc(inline)]
pub use edgekit_batcher as batcher;
#[cfg(feature = "coherence-log")]
#[doc(inline)]
pub use edgekit_coherence_log as coherence_log;
#[cfg(feature = "constraint-cache")]
#[doc(inline)]
pub use edgekit_constraint_cache as constraint_cache;
#[cfg(feature = "constraint-compile")]
#[doc(inline)]
pub use edgekit_constraint_compile as constraint_compile;
#[cfg(feature = "constraint-extract")]
#[doc(inline)]
pub use edgekit_constraint_extract as constraint_extract;
#[cfg(feature = "constraint-ir")]
#[doc(inline)]
pub use edgekit_constraint_ir as constraint_ir;
#[cfg(feature = "kernels-simd")]
#[doc(inline)]
pub use edgekit_kernels_simd as kernels_simd;
#[cfg(feature = "mempool")]
#[doc(inline)]
pub use edgekit_mempool as mempool;
#[cfg(feature = "neural-net")]
#[doc(inline)]
pub use edgekit_neural_net as neural_net;
#[cfg(feature = "pipeline")]
#[doc(inline)]
pub use edgekit_pipeline as pipeline;
#[cfg(feature = "qlearning")]
#[doc(inline)]
pub use edgekit_qlearning as qlearning;
#[cfg(feature = "quantize")]
#[doc(inline)]
pub use edgekit_quantize as quantize;
#[cfg(feature = "reasoning-bank")]
#[doc(inline)]
pub use edgekit_reasoning_bank as reasoning_bank;
#[cfg(feature = "spike-coding")]
#[doc(inline)]
pub use edgekit_spike_coding as spike_coding;
#[cfg(feature = "vector-index")]
#[doc(inline)]
pub use edgekit_vector_index as vector_index;
