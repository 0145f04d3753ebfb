//! Compiles the protocol files; protox stands in for `protoc`, so that a build needs no other tool.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = [
        "proto/externalscaler.proto",
        "proto/metrics.proto",
        "proto/debug.proto",
    ];
    let descriptors = protox::compile(files, ["proto"])?;
    tonic_prost_build::configure()
        .build_transport(false)
        .compile_fds(descriptors)?;
    Ok(())
}
