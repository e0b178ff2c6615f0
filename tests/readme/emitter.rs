//! The emitter of the README, word for word from the imports on.

pub(super) fn run() -> Result<(), Box<dyn std::error::Error>> {
    main()
}

use greenroom::Emitter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let emitter = Emitter::connect(&std::env::var("REDIS_URL")?).await?;
    let guests = emitter.to("lobby").except("staff");
    guests.emit("said", ("server", "Closing time.")).await?;
    emitter.of("/admin").emit("closed", "lobby").await?;
    Ok(())
}
