//! Every sentence of the command line, in both languages. A sentence says what happened and what to do next.

use std::collections::BTreeMap;

/// Language of sentences for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// 简体中文
    Zh,
    /// English
    En,
}

impl Language {
    /// `zh-CN` or `en`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Zh => "zh-CN",
            Self::En => "en",
        }
    }

    /// Reads `zh…` (any spelling) as Chinese, everything else as English.
    #[must_use]
    pub fn from_tag(tag: &str) -> Self {
        if tag.trim().to_ascii_lowercase().starts_with("zh") { Self::Zh } else { Self::En }
    }

    /// From `STALLCAST_LANG`, else `LC_ALL`, `LC_MESSAGES`, `LANG`; the first that is set decides.
    #[must_use]
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|v| !v.is_empty());
        ["STALLCAST_LANG", "LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set).map_or(Self::En, |tag| Self::from_tag(&tag))
    }
}

/// Code, Chinese, English. `{name}` is replaced by the value of that name.
pub(crate) const ERRORS: &[(&str, &str, &str)] = &[
    // Usage (exit status 2)
    (
        "usage",
        "命令写法不对：{detail}。用 `stallcast --help` 看全部选项。",
        "The command is not right: {detail}. See `stallcast --help` for all options.",
    ),
    (
        "bad_url",
        "推流地址不对：{detail}。请写成 rtmp://主机/应用 或 rtmps://主机/应用。",
        "The destination address is not right: {detail}. Write it as rtmp://host/app or rtmps://host/app.",
    ),
    (
        "bad_value",
        "{name} 的值 {detail} 不能用。请看 `stallcast live --help`。",
        "The value {detail} of {name} cannot be used. See `stallcast live --help`.",
    ),
    (
        "bad_duration",
        "看不懂时长 {value}。请写成 20s、10m、1h30m 或秒数。",
        "Cannot read the time {value}. Write 20s, 10m, 1h30m or a number of seconds.",
    ),
    (
        "bad_canvas",
        "画布 {value} 不能用。请写成 宽x高，两边都是 160 到 1920 的偶数，例如 720x1280。",
        "The canvas {value} cannot be used. Write WIDTHxHEIGHT, both even and from 160 to 1920, for example 720x1280.",
    ),
    (
        "bad_source",
        "看不懂 {option} {value}。可以写 device、device:编号、file:路径、demo{extra}。",
        "Cannot read {option} {value}. Use device, device:ID, file:PATH, demo{extra}.",
    ),
    (
        "bad_address",
        "监听地址 {value} 不对。请写成 127.0.0.1:0 这样的 地址:端口。",
        "The listen address {value} is not right. Write ADDRESS:PORT, for example 127.0.0.1:0.",
    ),
    ("bad_record", "录像文件 {path} 要以 .mp4 结尾。请换个文件名。", "The recording {path} must end in .mp4. Choose another file name."),
    (
        "no_output",
        "没有可以送出的地方。请加上 --to 地址、--record 文件.mp4 或 --shop。",
        "There is nothing to send the show to. Add --to URL, --record FILE.mp4 or --shop.",
    ),
    (
        "needs_option",
        "{option} 要和 {needed} 一起用。请补上 {needed}，或去掉 {option}。",
        "{option} works only together with {needed}. Add {needed}, or leave {option} out.",
    ),
    ("too_many_destinations", "最多同时推 {most} 个地址。请减少 --to。", "At most {most} destinations at a time. Leave some --to out."),
    (
        "key_file_count",
        "密钥文件有 {lines} 行，推流地址有 {destinations} 个。请让第 n 行对应第 n 个地址，没有密钥就留空行。",
        "The key file has {lines} lines for {destinations} destinations. Give line n the key of destination n, and leave a line empty where the address is complete.",
    ),
    ("invalid", "{field} 填得不对（{rule}）。请改一改再试。", "{field} is not right ({rule}). Correct it and try again."),
    // Devices and files (exit status 3)
    (
        "device_missing",
        "找不到设备 {name}。用 `stallcast devices` 看有哪些，或用 demo。",
        "The device {name} is not there. See `stallcast devices` for what is, or use demo.",
    ),
    (
        "device_busy",
        "{name} 正被别的程序占用。请先关掉那个程序，再试一次。",
        "{name} is in use by another program. Close that program and try again.",
    ),
    (
        "device_denied",
        "系统不让使用 {name}。请在系统设置里允许，或把当前用户加入 video、audio 组。",
        "The system does not allow the use of {name}. Allow it in the system settings, or add this user to the groups video and audio.",
    ),
    (
        "source_unusable",
        "{name} 打得开但用不了：{detail}。请换一个设备或文件。",
        "{name} opens but cannot be used: {detail}. Choose another device or file.",
    ),
    ("file_missing", "找不到文件 {path}。请检查路径。", "The file {path} is not there. Check the path."),
    (
        "file_exists",
        "{path} 已经在了，没有动它。请换个文件名，或加 --overwrite。",
        "{path} is already there and was left as it is. Choose another name, or add --overwrite.",
    ),
    (
        "path_unwritable",
        "写不了 {path}。请检查文件夹在不在、有没有权限。",
        "Cannot write {path}. Check that its folder is there and may be written.",
    ),
    (
        "key_file_missing",
        "读不了密钥文件 {path}。请检查路径和权限；用 - 从标准输入读。",
        "Cannot read the key file {path}. Check the path and its permissions; use - for standard input.",
    ),
    // Destinations (exit status 4)
    (
        "never_accepted",
        "{hosts} 一直没有接受推流。请检查地址、密钥和网络，再试一次。",
        "{hosts} never accepted the stream. Check address, key and network, and try again.",
    ),
    (
        "destination_refused",
        "{hosts} 拒绝了这个密钥。请到平台后台重新取一个密钥。",
        "{hosts} refused the key. Get a new key from the platform.",
    ),
    // Other (exit status 5)
    (
        "port_in_use",
        "端口 {address} 已被占用。请换一个 --listen，或写端口 0 让系统挑。",
        "The address {address} is already in use. Choose another --listen, or port 0 to let the system pick one.",
    ),
    ("disk_full", "磁盘满了（{path}）。请腾出空间再开始。", "The disk is full ({path}). Free some space and start again."),
    (
        "folder_busy",
        "这个数据文件夹正被另一个 Stallcast 使用（进程 {pid}）。请用那一个，或换一个 --data。",
        "Another Stallcast is using this data folder (process {pid}). Use that one, or choose another --data.",
    ),
    (
        "show_running",
        "这个文件夹上已有一场直播（进程 {pid}）。用 `stallcast live --attach` 接着看，或用 `stallcast end` 结束它。",
        "A show is already running on this folder (process {pid}). Follow it with `stallcast live --attach`, or end it with `stallcast end`.",
    ),
    (
        "no_show",
        "这个文件夹上没有正在进行的直播。用 `stallcast live` 开一场。",
        "No show is running on this folder. Start one with `stallcast live`.",
    ),
    (
        "data_unwritable",
        "数据文件夹 {path} 写不了。请检查权限，或换一个 --data。",
        "The data folder {path} cannot be written. Check its permissions, or choose another --data.",
    ),
    (
        "database_broken",
        "数据库 {path} 打不开：{detail}。请把它移开留作备份，再启动一次。",
        "The database {path} does not open: {detail}. Move it aside as a backup and start again.",
    ),
    (
        "database_newer",
        "数据库 {path} 是更新版本写的。请用新版的 Stallcast 打开。",
        "The database {path} was written by a newer version. Open it with that version of Stallcast.",
    ),
    (
        "engine_down",
        "媒体进程起不来：{detail}。请看 logs 文件夹里的 engine.log，再试一次。",
        "The media process does not start: {detail}. See engine.log in the logs folder and try again.",
    ),
    (
        "shop_down",
        "本地店铺起不来：{detail}。请看 logs 文件夹里的 shop.log，再试一次。",
        "The local shop does not start: {detail}. See shop.log in the logs folder and try again.",
    ),
    (
        "already_live",
        "已经在直播了。先用 `stallcast end` 结束，再开新的。",
        "A show is already on air. End it with `stallcast end` before starting another.",
    ),
    ("not_live", "现在没有在直播。先开播再试。", "Nothing is on air. Go live first."),
    (
        "version",
        "正在运行的是另一个版本的 Stallcast，只能查看和结束。用 `stallcast end` 结束后重开。",
        "A different version of Stallcast is running; it can only be watched and ended. End it with `stallcast end` and start again.",
    ),
    (
        "internal",
        "程序内部出错：{detail}。请看 logs 文件夹里的日志，再试一次。",
        "Something went wrong inside: {detail}. See the files in the logs folder and try again.",
    ),
    (
        "sku_not_found",
        "店里没有 {sku} 这个规格。请到店铺页面看编号，或写 --pin first。",
        "The shop has no SKU {sku}. Look it up on the shop page, or use --pin first.",
    ),
    (
        "unreachable",
        "连不上 {connection}。请检查网络；连上后会自动继续。",
        "{connection} cannot be reached. Check the network; work goes on by itself afterwards.",
    ),
    ("not_found", "找不到这一项。请刷新后再试。", "This is not there any more. Refresh and try again."),
    ("sold_out", "卖完了，只剩 {available} 件。请改数量或补货。", "Sold out, only {available} left. Change the quantity or add stock."),
    ("already_claimed", "这张券已经领过了。", "This coupon was already claimed. Use it at checkout."),
    ("coupon_gone", "这张券已经结束或领完了。请再发一张。", "This coupon is over or all are claimed. Issue another one."),
    ("coupon_not_applicable", "这张券用不到这一单上。请检查门槛。", "This coupon does not fit this order. Check its threshold."),
    (
        "idempotency_mismatch",
        "同一个请求编号带了不同的内容。请重新操作一次。",
        "One request id came with two contents. Do it again from the start.",
    ),
    (
        "wrong_state",
        "现在的状态是 {state}，做不了这一步。请刷新后再看。",
        "This cannot be done while it is {state}. Refresh and look again.",
    ),
    ("payment_declined", "付款没有成功。请换一种方式再付。", "The payment was declined. Pay in another way."),
    ("unsupported", "这个平台没有这个功能。请在平台自己的页面上操作。", "This platform cannot do this. Do it on the platform's own page."),
    (
        "not_confirmed",
        "平台收下了，但读回来不是这样。请到平台上看一看，再发一次。",
        "The platform took it, but does not show it. Look there and send it again.",
    ),
    (
        "not_understood",
        "平台的回答看不懂。请更新 Stallcast，再发一次。",
        "The platform's answer is not understood. Update Stallcast and send it again.",
    ),
    ("refused", "平台没有接受。请到平台上看一看，再发一次。", "The platform did not accept it. Look there and send it again."),
    ("rate_limited", "平台让我们慢一点。稍后会自动再试。", "The platform asks to slow down. It is tried again by itself."),
    // Secrets (exit status 6)
    ("unauthorized", "店铺不认这个登录。请重新连接店铺。", "The shop does not accept this sign-in. Connect it again."),
    (
        "passphrase_missing",
        "这个数据文件夹用口令保护。请加 --passphrase-file 文件，或设 STALLCAST_PASSPHRASE_FILE。",
        "This data folder is protected by a passphrase. Add --passphrase-file FILE, or set STALLCAST_PASSPHRASE_FILE.",
    ),
    (
        "passphrase_wrong",
        "口令不对，打不开这个数据文件夹。请换成当初的口令文件。",
        "The passphrase does not open this data folder. Give the passphrase file it was set up with.",
    ),
    (
        "passphrase_unreadable",
        "口令文件 {path} 读不了或是空的。请检查路径和权限。",
        "The passphrase file {path} cannot be read or is empty. Check the path and its permissions.",
    ),
    (
        "master_key_missing",
        "{path} 不见了，密钥和买家信息打不开。请从备份放回来，或换一个 --data。",
        "{path} is gone, so keys and buyers' details cannot be opened. Put it back from a backup, or choose another --data.",
    ),
    (
        "master_key_wrong",
        "{path} 不是这个文件夹的密钥。请放回原来的，或换一个 --data。",
        "{path} is not the key of this folder. Put the original back, or choose another --data.",
    ),
    (
        "keychain_gone",
        "系统钥匙串没有回应。请登录桌面并解锁钥匙串，再试一次。",
        "The keychain of the system does not answer. Sign in to the desktop, unlock it and try again.",
    ),
    (
        "secrets_broken",
        "{path} 读不了。请从备份放回来，或换一个 --data。",
        "{path} cannot be read. Put it back from a backup, or choose another --data.",
    ),
    // Not complete (exit status 7)
    ("not_complete", "还没有做完。请稍后用 `stallcast status` 看一看。", "Not everything is finished. Look again with `stallcast status`."),
    // Ended by hand (exit status 130)
    (
        "interrupted",
        "被第二次 Ctrl-C 打断。直播可能还在进行，用 `stallcast status` 看一看。",
        "Interrupted by a second Ctrl-C. The show may still be running; look with `stallcast status`.",
    ),
];

/// Sentences about the machinery, by health code.
pub(crate) const HEALTH: &[(&str, &str, &str)] = &[
    (
        "camera_lost",
        "摄像头 {device} 没有画面了。请检查插头；恢复后会自动继续。",
        "The camera {device} stopped. Check the plug; it goes on by itself.",
    ),
    ("camera_back", "摄像头 {device} 恢复了。", "The camera {device} is back."),
    (
        "mic_lost",
        "麦克风 {device} 没有声音了，正在送静音。请检查插头。",
        "The microphone {device} stopped; silence is sent. Check the plug.",
    ),
    ("mic_back", "麦克风 {device} 恢复了。", "The microphone {device} is back."),
    (
        "destination_lost",
        "到 {host} 的连接断了，正在重连。请检查网络。",
        "The connection to {host} was lost; trying again. Check the network.",
    ),
    ("destination_back", "{host} 重新接上了。", "{host} accepts again."),
    (
        "destination_refused",
        "{host} 拒绝了密钥（{status}）。请到平台重新取一个。",
        "{host} refused the key ({status}). Get a new one from the platform.",
    ),
    (
        "destination_slow",
        "到 {host} 的网络太慢，画质已自动降低，再慢会丢帧。请换网络。",
        "The network to {host} is too slow: quality was lowered by itself, frames are dropped if it gets worse. Change the network.",
    ),
    (
        "recording_stopped",
        "磁盘满了，录像 {path} 停了，已录的都在；直播继续。请腾出空间。",
        "The disk is full: the recording {path} stopped and is kept; the show goes on. Free some space.",
    ),
    (
        "database_restored",
        "数据库坏了，已换上 {minutes} 分钟前的备份；之后的订单正从店铺重新读。坏掉的文件留在数据文件夹里。请检查磁盘。",
        "The database was damaged; a copy from {minutes} minutes ago took its place, and later orders are read from the shop again. The damaged file stays in the data folder. Check the disk.",
    ),
    (
        "database_renewed",
        "数据库坏了，也没有备份，已重新开始；商品和订单正从店铺重新读，推流地址要再填一次。坏掉的文件留在数据文件夹里。",
        "The database was damaged and there was no copy; it begins anew. Products and orders are read from the shop again; enter your destinations once more. The damaged file stays in the data folder.",
    ),
    (
        "viewers_lost",
        "观看页面的画面写不进去，观众看不到；推流和录制照常。请检查数据文件夹所在的磁盘。（{reason}）",
        "The picture for the viewer page cannot be written, viewers do not see it; push and recording go on. Check the disk of the data folder. ({reason})",
    ),
    (
        "recording_failed",
        "录像 {path} 写不下去了：{reason}。请检查磁盘。",
        "The recording {path} cannot be written: {reason}. Check the disk.",
    ),
    ("disk_low", "录像空间只够 {minutes} 分钟了。请腾出空间。", "Room for {minutes} more minutes of recording. Free some space."),
    (
        "encoder_behind",
        "电脑编码跟不上，正在跳帧。请关掉别的程序或降低画布。",
        "The encoder cannot keep up; frames are skipped. Close other programs or use a smaller canvas.",
    ),
    ("program_late", "电脑合成画面来不及。请关掉别的程序。", "The machine composes too slowly. Close other programs."),
    ("part_restarted", "{part} 出错后已重新启动。", "{part} failed and was started again."),
    (
        "engine_restarted",
        "媒体进程重新启动了，画面断了 {gap_ms} 毫秒。",
        "The media process was started again; no picture for {gap_ms} ms.",
    ),
    ("shop_restarted", "本地店铺重新启动了。", "The local shop was started again."),
    (
        "missing_glyphs",
        "有 {count} 个字没有字体，画面里显示为方框。请装中文字体。",
        "{count} characters have no font and show as boxes. Install a font that has them.",
    ),
    (
        "platform_unreachable",
        "连不上 {connection}，订单暂时核对不了。连上后会自动继续。",
        "{connection} cannot be reached; orders cannot be checked for now. It goes on by itself.",
    ),
    ("platform_back", "{connection} 恢复了。", "{connection} is back."),
    ("intent_failed", "{action} 没有送到。请看那一行，再发一次。", "{action} was not delivered. Look at its row and send it again."),
];

/// What the command line says when nothing is wrong.
pub(crate) const TEXTS: &[(&str, &str, &str)] = &[
    (
        "no_display",
        "没有显示器，改为不开窗口直播，用浏览器打开下面的地址。按 Ctrl-C 结束。",
        "There is no display: running the show without a window. Open the addresses below in a browser. Press Ctrl-C to end it.",
    ),
    (
        "key_in_file",
        "注意：主密钥放在 {path}，能读这个文件夹的人就能读里面的密钥。要更稳妥请用 --passphrase-file。",
        "Note: the master key is kept in {path}; whoever can read the folder can read its secrets. Use --passphrase-file for more.",
    ),
    ("ready", "就绪：画面 {camera}，声音 {mic}。", "Ready: picture {camera}, sound {mic}."),
    ("shop_at", "店铺页面：{url}", "Shop page: {url}"),
    ("seller_token_at", "卖家令牌在 {path}", "Seller token in {path}"),
    ("live", "正在直播。按 Ctrl-C 结束。", "On air. Press Ctrl-C to end."),
    ("starting", "正在开播……", "Going live…"),
    ("ending", "正在收尾……再按一次 Ctrl-C 立即退出。", "Ending… press Ctrl-C again to leave at once."),
    ("state", "状态：{state}", "State: {state}"),
    (
        "stats_line",
        "{fps} 帧/秒 · {kbps} kbit/s · 卡顿 {lagged} · 跳帧 {skipped} · 丢帧 {dropped}",
        "{fps} fps · {kbps} kbit/s · lagged {lagged} · skipped {skipped} · dropped {dropped}",
    ),
    (
        "summary_line",
        "结束：合成 {composed} 帧，编码 {encoded} 帧；卡顿 {lagged}，跳帧 {skipped}，丢帧 {dropped}；CPU {cpu} 秒，内存最高 {rss} MiB。",
        "Done: {composed} frames composed, {encoded} encoded; lagged {lagged}, skipped {skipped}, dropped {dropped}; CPU {cpu} s, peak memory {rss} MiB.",
    ),
    ("recorded", "录像：{path}", "Recorded: {path}"),
    ("disk_was_full", "磁盘满了，录像提前停了。", "The disk was full: the recording stopped early."),
    (
        "destination_line",
        "{host}：送出 {bytes} 字节，重连 {reconnects} 次，{state}",
        "{host}: {bytes} bytes sent, {reconnects} reconnects, {state}",
    ),
    ("cameras", "摄像头：", "Cameras:"),
    ("microphones", "麦克风：", "Microphones:"),
    ("none_found", "  （没有找到）", "  (none found)"),
    ("status_folder", "数据文件夹：{path}", "Data folder: {path}"),
    ("status_owner", "使用者：进程 {pid}", "In use by: process {pid}"),
    ("status_no_owner", "使用者：无", "In use by: nobody"),
    ("status_show", "直播：{state}", "Show: {state}"),
    ("status_engine", "媒体进程：{pid}", "Media process: {pid}"),
    ("status_shop", "店铺：{url}（进程 {pid}）", "Shop: {url} (process {pid})"),
    ("status_protector", "主密钥：{protector}", "Master key: {protector}"),
    ("nothing_runs", "没有正在进行的直播。", "No show is running."),
    ("ended", "直播已结束。", "The show has ended."),
    ("protector_keychain", "系统钥匙串", "keychain of the system"),
    ("protector_passphrase", "口令", "passphrase"),
    ("protector_file", "文件夹里的文件", "a file in the folder"),
    ("protector_none", "还没有", "not made yet"),
    ("state_idle", "未开始", "idle"),
    ("state_ready", "准备好了", "ready"),
    ("state_starting", "正在开播", "going live"),
    ("state_live", "直播中", "on air"),
    ("state_ending", "正在结束", "ending"),
    ("state_ended", "已结束", "ended"),
];

fn find(table: &'static [(&str, &str, &str)], code: &str, language: Language) -> Option<&'static str> {
    table.iter().find(|(c, ..)| *c == code).map(|(_, zh, en)| match language {
        Language::Zh => *zh,
        Language::En => *en,
    })
}

fn fill(template: &str, params: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else {
            break;
        };
        out.push_str(before);
        out.push_str(params.get(name).map_or("?", String::as_str));
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// The sentence for an error code. A code nobody wrote a sentence for is said to be internal and named.
#[must_use]
pub fn error_sentence(code: &str, params: &BTreeMap<String, String>, language: Language) -> String {
    match find(ERRORS, code, language) {
        Some(template) => fill(template, params),
        None => fill(find(ERRORS, "internal", language).unwrap_or("{detail}"), &BTreeMap::from([("detail".to_owned(), code.to_owned())])),
    }
}

/// The sentence for a health code.
#[must_use]
pub fn health_sentence(code: &str, params: &BTreeMap<String, String>, language: Language) -> String {
    find(HEALTH, code, language).map_or_else(|| code.to_owned(), |template| fill(template, params))
}

/// A text of the command line with its values.
#[must_use]
pub(crate) fn text(code: &str, params: &[(&str, &str)], language: Language) -> String {
    let params = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    find(TEXTS, code, language).map_or_else(|| code.to_owned(), |template| fill(template, &params))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn names(template: &str) -> BTreeSet<&str> {
        template.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name)).collect()
    }

    #[test]
    fn every_code_speaks_both_languages_with_the_same_values() {
        for table in [ERRORS, HEALTH, TEXTS] {
            let mut seen = BTreeSet::new();
            for (code, zh, en) in table {
                assert!(seen.insert(code), "{code} stands twice");
                assert!(zh.chars().any(|c| c > '\u{2E7F}') || *code == "cpu", "{code} has no Chinese");
                assert!(en.chars().all(|c| c < '\u{2E80}'), "{code}: Chinese in the English sentence");
                assert_eq!(names(zh), names(en), "{code}: the languages name different values");
                assert!(!zh.contains("请稍候") && !zh.contains('！') && !en.contains('!'), "{code} breaks the wording rules");
            }
        }
    }

    #[test]
    fn every_health_code_of_the_media_side_has_a_sentence() {
        use stallcast_media::HealthCode as H;
        for code in [
            H::CameraLost,
            H::CameraBack,
            H::MicLost,
            H::MicBack,
            H::DestinationLost,
            H::DestinationBack,
            H::DestinationRefused,
            H::DestinationSlow,
            H::RecordingStopped,
            H::RecordingFailed,
            H::ViewersLost,
            H::DiskLow,
            H::EncoderBehind,
            H::ProgramLate,
            H::PartRestarted,
            H::EngineRestarted,
            H::ShopRestarted,
            H::MissingGlyphs,
        ] {
            let word = serde_json::to_value(code).expect("word");
            let word = word.as_str().expect("text");
            assert!(find(HEALTH, word, Language::Zh).is_some(), "{word}");
        }
    }

    #[test]
    fn values_appear_and_unknown_codes_are_named() {
        let params = BTreeMap::from([("pid".to_owned(), "4711".to_owned())]);
        for language in [Language::Zh, Language::En] {
            assert!(error_sentence("show_running", &params, language).contains("4711"));
            assert!(error_sentence("from_the_future", &BTreeMap::new(), language).contains("from_the_future"));
        }
    }

    #[test]
    fn the_environment_chooses_the_language() {
        let with = |pairs: &'static [(&str, &str)]| {
            Language::from_environment(move |name| pairs.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(with(&[("LANG", "zh_CN.UTF-8")]), Language::Zh);
        assert_eq!(with(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C.UTF-8")]), Language::En);
        assert_eq!(with(&[("LANG", "en_US.UTF-8"), ("STALLCAST_LANG", "zh-CN")]), Language::Zh);
        assert_eq!(with(&[("LC_ALL", ""), ("LANG", "zh_TW")]), Language::Zh);
        assert_eq!(with(&[]), Language::En);
    }
}
