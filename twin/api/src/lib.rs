//! What REST shows of a twin, the same at the edge and in the cloud.
