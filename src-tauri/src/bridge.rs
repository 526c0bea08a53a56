//! The bridge: which commands there are, and their types for the pages.

use crate::commands::{bag, comments, coupons, destinations, orders, settings, shops, show, sources, windows};
use specta_typescript::Typescript;
use stallcast_studio::view::StudioEvent;
use tauri_specta::{Builder, collect_commands};

/// Every command of the bridge. Each needs an entry in `src-tauri/permissions` that a capability reaches.
pub(crate) fn builder() -> Builder<tauri::Wry> {
    // The views read as they are written: one type each instead of two.
    Builder::new().disable_serde_phases().typ::<StudioEvent>().commands(collect_commands![
        show::snapshot,
        show::go_live,
        show::end_show,
        show::set_muted,
        show::start_recording,
        show::stop_recording,
        bag::pin_product,
        bag::unpin_product,
        bag::explain_next,
        bag::bag_candidates,
        bag::add_to_bag,
        bag::remove_from_bag,
        bag::move_in_bag,
        bag::change_offer,
        comments::search_comments,
        comments::read_comment,
        comments::dismiss_comment,
        comments::hide_comment,
        coupons::issue_coupon,
        coupons::withdraw_coupon,
        destinations::save_destination,
        destinations::remove_destination,
        destinations::enable_destination,
        destinations::destination_presets,
        destinations::destination_address,
        destinations::confirm_last_step,
        orders::search_orders,
        orders::ship_order,
        orders::agree_after_sale,
        orders::refuse_after_sale,
        orders::retry_intent,
        orders::discard_intent,
        settings::set_language,
        settings::set_theme,
        settings::set_recording,
        settings::set_clean_feed,
        settings::set_retention,
        shops::add_shop,
        shops::rename_shop,
        shops::remove_shop,
        sources::list_devices,
        sources::choose_camera,
        sources::choose_mic,
        windows::open_orders_window,
        windows::close_window,
    ])
}

/// The file `ui/src/lib/ipc/bindings.ts`.
///
/// # Errors
/// A type has no counterpart in TypeScript.
pub fn bindings() -> Result<String, String> {
    let folder = std::env::temp_dir().join(format!("stallcast-bindings-{}", std::process::id()));
    let file = folder.join("bindings.ts");
    let written = std::fs::create_dir_all(&folder).map_err(|e| e.to_string());
    let text = written
        .and_then(|()| builder().export(Typescript::default(), &file).map_err(|e| e.to_string()))
        .and_then(|()| std::fs::read_to_string(&file).map_err(|e| e.to_string()));
    // A leftover in the temporary folder hurts nobody.
    let _ = std::fs::remove_dir_all(&folder);
    text
}

/// Names of all commands, as pages call them: read off the generated file.
///
/// # Errors
/// As [`bindings`].
pub fn command_names() -> Result<Vec<String>, String> {
    let text = bindings()?;
    let calls = text.split("__TAURI_INVOKE(\"").skip(1).filter_map(|rest| rest.split_once('"'));
    Ok(calls.map(|(name, _)| name.to_owned()).collect())
}
