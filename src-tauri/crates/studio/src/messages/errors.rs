//! What was refused or failed, and the next step.

/// Code, Chinese, English. `{name}` is replaced by the value of that name.
pub(crate) const ERRORS: &[(&str, &str, &str)] = &[
    // Usage (exit status 2)
    (
        "usage",
        "命令写法不对：{detail}。用 `stallcast --help` 看全部选项。",
        "The command is not right: {detail}. See `stallcast --help` for all options.",
    ),
    // One for each rule of `TargetError`, and what a platform's preset demands.
    (
        "bad_url",
        "推流地址不对。请到平台后台重新复制 rtmp:// 或 rtmps:// 开头的推流地址。",
        "The push address is not right. Copy the one that begins with rtmp:// or rtmps:// from the platform again.",
    ),
    (
        "bad_url_page",
        "这是网页地址（http）。请在这个网页里找到并复制 rtmp:// 或 rtmps:// 开头的推流地址。",
        "This is the address of a web page (http). On that page, copy the push address that begins with rtmp:// or rtmps://.",
    ),
    (
        "bad_url_play",
        "这是给观众看的播放地址，不能推流。请到平台后台复制 rtmp:// 或 rtmps:// 开头的推流地址。",
        "This is the address viewers watch at; nothing can be pushed there. Copy the push address that begins with rtmp:// or rtmps:// from the platform.",
    ),
    (
        "bad_url_srt",
        "这是 SRT 地址，这里只推 RTMP。请在平台后台选 RTMP，复制 rtmp:// 或 rtmps:// 开头的地址。",
        "This is an SRT address, and only RTMP is pushed here. Choose RTMP on the platform and copy the address that begins with rtmp:// or rtmps://.",
    ),
    (
        "bad_url_scheme",
        "这种地址推不了。请复制 rtmp:// 或 rtmps:// 开头的推流地址。",
        "Nothing can be pushed to this kind of address. Copy the push address that begins with rtmp:// or rtmps://.",
    ),
    (
        "bad_url_no_scheme",
        "推流地址要以 rtmp:// 或 rtmps:// 开头。请整条复制，不要少了开头。",
        "A push address begins with rtmp:// or rtmps://. Copy all of it, with its beginning.",
    ),
    (
        "bad_url_host",
        "推流地址里的主机或端口不对。请到平台后台重新整条复制。",
        "Host or port in the push address is not right. Copy all of it from the platform again.",
    ),
    (
        "bad_url_user",
        "推流地址里不能带用户名和密码。请去掉 @ 和它前面的部分，密钥填到推流码里。",
        "A push address must not hold a user name and password. Take out the @ and what stands before it, and put the key into the key field.",
    ),
    (
        "bad_url_app",
        "推流地址不完整，主机后面还要有一段，例如 rtmp://主机/live。请重新整条复制。",
        "The push address is not complete: after the host comes one more part, as in rtmp://host/live. Copy all of it again.",
    ),
    (
        "bad_url_key",
        "缺推流码。请到平台后台复制推流码填上，或贴带推流码的整条地址。",
        "The stream key is missing. Copy it from the platform, or paste the whole address with the key in it.",
    ),
    (
        "bad_url_key_is_address",
        "推流码里贴的是一条地址。请把地址放到推流地址里，推流码只填平台给的那一串。",
        "The stream key holds an address. Put the address where the address belongs, and only the platform's key here.",
    ),
    (
        "bad_url_blank",
        "推流地址中间有空格或换行。请重新整条复制。",
        "There is a blank or a line break inside the push address. Copy all of it again.",
    ),
    (
        "bad_url_key_blank",
        "推流码中间有空格或换行。请重新复制，一次只贴一个推流码。",
        "There is a blank or a line break inside the stream key. Copy it again, one key at a time.",
    ),
    (
        "bad_url_too_long",
        "贴进来的内容太长，不是推流地址。请只复制推流地址或推流码。",
        "What was pasted is too long for a push address. Copy only the push address or the key.",
    ),
    (
        "bad_url_certificate",
        "证书文件里没有证书。请换一个 PEM 文件。",
        "There is no certificate in the certificate file. Choose another PEM file.",
    ),
    (
        "bad_url_rtmps",
        "{name} 只收加密的 rtmps:// 地址。请复制 rtmps:// 开头的那一条。",
        "{name} takes only encrypted rtmps:// addresses. Copy the one that begins with rtmps://.",
    ),
    (
        "key_forgotten",
        "{name} 的推流码只能用一场，上一场的已经清掉了。请贴上新的推流码，或关掉这一路。",
        "The stream key of {name} was good for one show and is gone. Paste a new one, or switch this destination off.",
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
    (
        "clean_feed_same",
        "干净画面不能写进录像自己的文件 {path}。请换个文件名。",
        "The clean feed cannot go into the recording's own file {path}. Choose another file name.",
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
        "destination_refused_on_air",
        "{hosts} 说这个推流码正在别处推。请停掉另一个推流软件，或换一个推流码。",
        "{hosts} says that this key is on air already. Stop the other program that pushes, or get a new key.",
    ),
    (
        "destination_refused_address",
        "{hosts} 上没有这个地址。请到平台后台重新复制整条推流地址。",
        "{hosts} does not know this address. Copy the whole push address from the platform again.",
    ),
    (
        "destination_refused_certificate",
        "{hosts} 的安全证书不可信。请核对推流地址和电脑的日期时间。",
        "The certificate of {hosts} cannot be trusted. Check the push address and the date and time of this computer.",
    ),
    (
        "destination_refused_closed",
        "{hosts} 接通后马上挂断了，多半是推流码不对或过期。请到平台后台重新取一个。",
        "{hosts} hung up at once: most likely the key is wrong or expired. Get a new one from the platform.",
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
        "action_pending",
        "已经写下来了，店铺还没确认。直播台会接着送，结果看它的面板。",
        "It is written down and the shop has not confirmed it yet. The studio goes on; look at its panel for the outcome.",
    ),
    ("nothing_asked", "这个订单没有等你答复的售后。", "No after-sale of this order waits for an answer."),
    (
        "not_open",
        "这个文件夹上没有打开的直播台。先打开窗口，或运行 `stallcast live --shop`。",
        "No studio is open on this folder. Open the window, or run `stallcast live --shop`.",
    ),
    ("no_next", "后面没有能讲的商品了。补货，或加一件商品。", "Nothing that can be sold is left to explain. Add stock or a product."),
    ("bag_full", "购物袋满了，最多 100 款。先移出一款。", "The bag is full: 100 products at most. Take one out first."),
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
        "window_missing",
        "窗口程序 {path} 打不开：{detail}。请重新安装 Stallcast，或者用 `stallcast live` 不开窗口直播。",
        "The window's program {path} does not start: {detail}. Install Stallcast again, or run a show without a window: `stallcast live`.",
    ),
    (
        "display_silent",
        "显示器 {display} 没有回应，窗口打不开。请在登录的桌面里启动，或者用 `stallcast live --shop` 不开窗口直播。",
        "The display {display} does not answer, so there can be no window. Start Stallcast on a desktop that is signed in, or run a show without a window: `stallcast live --shop`.",
    ),
    (
        "program_missing",
        "程序 {path} 打不开：{detail}。请重新安装 Stallcast。",
        "The program {path} does not start: {detail}. Install Stallcast again.",
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
        "answer_too_long",
        "内容太多，命令行列不完。请在窗口里查看和搜索。",
        "There is too much to list here. Look it up in the window, which can search.",
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
    (
        "bad_shop_address",
        "这不是店铺地址。请到那台电脑的店铺页面上复制，例如 http://192.168.1.20:8080。",
        "This is not the address of a shop. Copy it from the shop page of the other computer, for example http://192.168.1.20:8080.",
    ),
    (
        "bad_shop_address_public",
        "{host} 不在这台电脑所在的网络里，令牌会不加密地经过外面。请用那台电脑的局域网地址，例如 192.168.1.20。",
        "{host} is not in the network of this computer: the token would go through others without encryption. Use the address that the other computer has in this network, for example 192.168.1.20.",
    ),
    (
        "bad_shop_address_trust",
        "{host} 在同一个网络里，但令牌和订单会不加密地传过去。只有信任这个网络里的所有人，才请确认信任后再添加（命令行加 --trust-network）。",
        "{host} is in the same network, but token and orders would go there without encryption. Only if you trust everybody in this network, confirm that and add it again (on the command line with --trust-network).",
    ),
    (
        "shop_not_reached",
        "连不上 {address}。请检查那台电脑开着店铺、在同一个网络里，而且店铺监听的不只是它自己。",
        "{address} does not answer. Check that the shop runs on that computer, listens beyond it, and that both are in the same network.",
    ),
    (
        "shop_not_a_shop",
        "{address} 有回应，但不是能接的店铺。请核对地址和端口，并把两台电脑更新到同一个版本。",
        "{address} answers, but not as a shop that can be connected. Check address and port, and update both computers to the same version.",
    ),
    (
        "shop_token_refused",
        "{address} 不认这个令牌。请从那台电脑的 shop.token 重新整条复制。",
        "{address} does not accept this token. Copy all of shop.token of that computer again.",
    ),
    ("shop_known", "这家店已经接好了，叫“{name}”。不用再添加。", "This shop is connected already, as \"{name}\". There is nothing to add."),
    (
        "shop_explaining",
        "正在讲解这家店的商品。请先结束讲解，再移除。",
        "A product of this shop is being explained. End that first, then remove the shop.",
    ),
    (
        "own_shop",
        "这是本机的店铺，不能移除。不开店铺时它不会出现在直播里。",
        "This is the shop of this computer and cannot be removed. Without it running it takes no part in a show.",
    ),
    ("too_many_shops", "最多同时接 {most} 家店。请先移除一家。", "At most {most} shops at a time. Remove one first."),
    (
        "token_file_unreadable",
        "令牌文件 {path} 读不了或是空的。请用 --token-file 指向那家店的 shop.token。",
        "The token file {path} cannot be read or is empty. Point --token-file at the shop.token of that shop.",
    ),
    (
        "order_of_two_shops",
        "两家店都有订单 {order}。请用 --shop 写明是哪一家（用 `stallcast shops` 查 ID）。",
        "Two shops have an order {order}. Say which one with --shop (`stallcast shops` shows the ids).",
    ),
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
        "keychain_entry_missing",
        "系统钥匙串里没有这个数据文件夹的密钥。请登录当初用的那个系统用户，或从备份恢复钥匙串，或换一个 --data。",
        "The keychain of the system does not have the key of this data folder. Sign in as the system user who set it up, restore the keychain from a backup, or choose another --data.",
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
