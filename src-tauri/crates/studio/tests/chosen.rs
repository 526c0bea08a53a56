//! What was chosen once is there at the next start, and what only stands in for it is not.

mod support;

use serde_json::{Value, json};
use stallcast_engine::protocol::{CameraChoice, Configuration, MicChoice};
use stallcast_studio::view::SourceForm;
use std::path::Path;
use support::{open, options, shop, small_demo, store};

async fn saved(data: &Path) -> Value {
    let store = store(data).await;
    let text = store.setting("studio").await.expect("read").expect("there");
    store.close().await;
    serde_json::from_str::<Value>(&text).expect("JSON")["configuration"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopgap_for_a_source_that_is_gone_is_never_saved() {
    let dir = tempfile::tempdir().expect("dir");
    let shop = shop(dir.path()).await;
    let camera = CameraChoice::File { path: dir.path().join("on a stick.mp4") };
    let chosen = Configuration { camera, mic: MicChoice::None, ..small_demo() };
    let before = store(dir.path()).await;
    let settings = json!({ "configuration": chosen, "language": "zh-CN" });
    before.set_setting("studio", &settings.to_string()).await.expect("written");
    before.close().await;

    let studio = open(stallcast_studio::StudioOptions { configuration: None, ..options(dir.path(), &shop) }).await;
    assert!(studio.snapshot().await.show.demo, "the stick is not there");
    studio.set_language("en".to_owned()).await.expect("changed");
    studio.choose_mic(SourceForm::Demo).await.expect("changed");
    assert!(studio.snapshot().await.show.demo);
    studio.close().await;

    let wanted = Configuration { language: "en".to_owned(), mic: MicChoice::Demo, ..chosen };
    assert_eq!(saved(dir.path()).await, serde_json::to_value(wanted).expect("JSON"), "two things were chosen, and the camera was not");
    shop.stop().await;
}
