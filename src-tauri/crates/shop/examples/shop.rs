//! Runs the shop alone on a data folder: `cargo run -p stallcast-shop --example shop -- DIR [ADDRESS]`.

use stallcast_shop::ShopOptions;
use std::io::Write as _;
use tokio_util::sync::CancellationToken;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let data = words.next().ok_or("the data folder comes first")?.into();
    let listen = words.next().as_deref().unwrap_or("127.0.0.1:0").parse()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(stallcast_shop::run(ShopOptions { data, listen }, CancellationToken::new(), |ready| {
        // A closed pipe is no reason to stop selling.
        let _ = writeln!(std::io::stdout(), "{} {}", ready.url, ready.token_path.display());
    }))?;
    Ok(())
}
