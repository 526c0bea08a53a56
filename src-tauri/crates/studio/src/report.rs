//! `devices`, `status` and `end`: short commands that look at a folder or ask its owner.

use crate::control::{self, Answer, Question};
use crate::error::StudioError;
use crate::lock::FolderLock;
use crate::output::{Terminal, state_code};
use crate::secrets::MasterKey;
use crate::shop_process::{self, ShopAddress};
use serde_json::{Value, json};
use stallcast_engine::Engine;
use stallcast_engine::protocol::{Command, Reply, Snapshot, Summary};
use std::path::Path;

/// Lists what is plugged in.
pub(crate) fn devices(terminal: Terminal) -> u8 {
    let list = stallcast_engine::devices();
    if terminal.json {
        match serde_json::to_value(&list) {
            Ok(value) => terminal.line(&value),
            Err(e) => return refuse(terminal, &StudioError::internal(e)),
        }
        return 0;
    }
    let view = crate::sources::devices_view(&list);
    for (title, devices) in [("cameras", &view.cameras), ("microphones", &view.microphones)] {
        terminal.print(title, &[]);
        if devices.is_empty() {
            terminal.print("none_found", &[]);
        }
        for device in devices {
            terminal.print_raw(&format!("  device:{}  {}", device.id, device.name));
            for mode in &device.modes {
                terminal.print_raw(&format!("      {mode}"));
            }
        }
    }
    0
}

fn refuse(terminal: Terminal, error: &StudioError) -> u8 {
    terminal.error(error);
    error.exit_code()
}

/// The media process of a folder as it stands now, without disturbing it.
pub(crate) async fn engine_snapshot(data: &Path) -> Option<(Snapshot, u32)> {
    let engine = Engine::glance(data).await.ok()??;
    let pid = engine.pid();
    let reply = engine.command(Command::Snapshot, bytes::Bytes::new()).await;
    engine.detach();
    match reply {
        Ok(Reply::Snapshot(snapshot)) => Some((snapshot, pid)),
        _ => None,
    }
}

/// Everything that can be told about a folder from outside.
async fn account(data: &Path) -> Value {
    let owner = FolderLock::holder(data);
    let engine = engine_snapshot(data).await;
    let shop = ShopAddress::running(data).await;
    let state = engine.as_ref().map(|(s, _)| &s.state);
    let on_air = state.filter(|s| crate::hub::on_air(s.engine));
    json!({
        "data": data,
        "held": owner.is_some(),
        "pid": owner.flatten(),
        "show": {
            "state": state.map_or("idle", |s| state_code(s.engine)),
            "live_since_ms": on_air.and_then(|s| s.live_since_ms),
            "camera": state.map(|s| &s.camera),
            "mic": state.map(|s| &s.mic),
            "demo": state.map(|s| s.demo),
            "muted": state.map(|s| s.muted),
            "recording": state.and_then(|s| s.recording.as_ref()),
            "recordings": state.map(|s| &s.recordings),
            "clean_feed": state.and_then(|s| s.clean_feed.as_ref()),
            "clean_feeds": state.map(|s| &s.clean_feeds),
            "destinations": state.map(|s| &s.links),
        },
        "engine": engine.as_ref().map(|(_, pid)| json!({ "pid": pid })),
        "shop": shop.map(|s| json!({ "url": s.url, "pid": s.pid })),
        "key_protector": MasterKey::recorded(data).map(super::secrets::Protector::word),
    })
}

/// Shows what runs on the folder.
pub(crate) async fn status(data: &Path, terminal: Terminal) -> u8 {
    let mut account = account(data).await;
    // The owner knows more: orders, seal, outbox.
    if let Some(Answer::Status { status }) = ask_owner(data, &Question::Status).await.ok().flatten() {
        account["app"] = status;
    } else if let Some(last) = crate::rows::last_show(data).await {
        account["last_show"] = last;
    }
    if terminal.json {
        terminal.line(&account);
        return 0;
    }
    let text = |value: &Value| match value {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    terminal.print("status_folder", &[("path", &text(&account["data"]))]);
    match &account["pid"] {
        Value::Null => terminal.print("status_no_owner", &[]),
        pid => terminal.print("status_owner", &[("pid", &text(pid))]),
    }
    let state = account["show"]["state"].as_str().unwrap_or("idle");
    terminal.print("status_show", &[("state", &terminal.state_word(state))]);
    if let Some(pid) = account["engine"].get("pid") {
        terminal.print("status_engine", &[("pid", &text(pid))]);
    }
    if let Some(shop) = account["shop"].as_object() {
        terminal.print("status_shop", &[("url", &text(&shop["url"])), ("pid", &text(&shop["pid"]))]);
    }
    let protector = account["key_protector"].as_str().unwrap_or("none");
    let protector = crate::messages::text(&format!("protector_{protector}"), &[], terminal.language);
    terminal.print("status_protector", &[("protector", &protector)]);
    0
}

/// Ends the show of the folder, whoever runs it. Without a show it says so and is no failure.
pub(crate) async fn end(data: &Path, terminal: Terminal) -> u8 {
    match end_running(data).await {
        Ok(Some(summary)) => {
            if !terminal.json {
                terminal.say("ended", &[]);
            }
            terminal.summary(&summary);
            0
        }
        Ok(None) => {
            if terminal.json {
                terminal.line(&json!({ "type": "nothing" }));
            } else {
                terminal.say("nothing_runs", &[]);
            }
            0
        }
        Err(error) => refuse(terminal, &error),
    }
}

/// Ends what runs: through the folder's owner if there is one, else directly; then media process and shop go too.
pub(crate) async fn end_running(data: &Path) -> Result<Option<Summary>, StudioError> {
    match ask_owner(data, &Question::End).await {
        Ok(Some(Answer::Ended { summary })) => return Ok(Some(summary)),
        Ok(Some(_)) => return Err(StudioError::internal("answer")),
        Err(e) if e.code() == "not_live" => return Ok(None),
        Err(e) => return Err(e),
        Ok(None) => {}
    }
    let ended = end_media(data, true).await?;
    shop_process::end_orphan(data).await;
    Ok(ended)
}

/// Ends the show of a folder and then its media process, of whatever version it is. `idle_too`: the process also where it has no show.
pub(crate) async fn end_media(data: &Path, idle_too: bool) -> Result<Option<Summary>, StudioError> {
    let mut ended = None;
    if let Some(engine) = Engine::attach(data).await? {
        let live = matches!(
            engine.command(Command::Snapshot, bytes::Bytes::new()).await,
            Ok(Reply::Snapshot(s)) if crate::hub::on_air(s.state.engine)
        );
        if live && let Reply::Ended(summary) = engine.command(Command::End, bytes::Bytes::new()).await? {
            ended = Some(summary);
        }
        if live || idle_too {
            // It answers by going away.
            let _ = engine.command(Command::Quit, bytes::Bytes::new()).await;
        }
        engine.detach();
    }
    Ok(ended)
}

/// Asks the owner of the folder; `None` when nobody owns it.
pub(crate) async fn ask_owner(data: &Path, question: &Question) -> Result<Option<Answer>, StudioError> {
    if FolderLock::holder(data).is_none() {
        return Ok(None);
    }
    match crate::control_socket::connect(data).await {
        Some(stream) => control::ask(stream, question).await.map(Some),
        // It is starting or ending; it holds the lock but does not listen.
        None => Err(StudioError::new("folder_busy").with("pid", FolderLock::holder(data).flatten().unwrap_or_default()).retryable()),
    }
}
