//! What the machinery and the platforms have to say while everything goes on.

/// Sentences about the machinery, by health code.
pub(crate) const HEALTH: &[(&str, &str, &str)] = &[
    (
        "camera_lost",
        "摄像头 {device} 没有画面了。请检查插头；恢复后会自动继续。",
        "The camera {device} stopped. Check the plug; it goes on by itself.",
    ),
    ("camera_back", "摄像头 {device} 恢复了，不用操作。", "The camera {device} is back; nothing to do."),
    (
        "mic_lost",
        "麦克风 {device} 没有声音了，正在送静音。请检查插头。",
        "The microphone {device} stopped; silence is sent. Check the plug.",
    ),
    ("mic_back", "麦克风 {device} 恢复了，不用操作。", "The microphone {device} is back; nothing to do."),
    (
        "mic_late",
        "麦克风 {device} 的声音来得太晚，观众听不到。请换一个麦克风，或用有线的。",
        "The sound of the microphone {device} comes too late to be heard. Choose another one, or one with a cable.",
    ),
    (
        "destination_lost",
        "到 {host} 的连接断了，正在重连。请检查网络。",
        "The connection to {host} was lost; trying again. Check the network.",
    ),
    ("destination_back", "{host} 接上了，不用操作。", "{host} accepts; nothing to do."),
    (
        "destination_refused",
        "{host} 不收这个推流码，可能填错或过期了。请到平台后台重新取一个，再开播。",
        "{host} refused the key: it may be wrong or expired. Get a new one from the platform and go live again.",
    ),
    (
        "destination_unreachable",
        "连不上 {host}，一直在自动重试。请检查网络和推流地址。",
        "{host} does not answer; it is tried on and on. Check the network and the push address.",
    ),
    (
        "destination_unreachable_name",
        "找不到 {host} 这个主机，一直在自动重试。请检查网络，再到平台后台核对推流地址。",
        "There is no host {host}; it is tried on and on. Check the network, and the push address on the platform.",
    ),
    (
        "destination_held",
        "{host} 还占着断掉的那条连接，每秒自动再试，最多两分钟。请不要另开推流；两分钟后还不行，就到平台后台结束那一场。",
        "{host} still holds the connection that broke; it is tried each second for two minutes. Do not push from elsewhere; if it lasts longer, end that live on the platform.",
    ),
    (
        "destination_refused_key",
        "{host} 不收这个推流码，可能填错或过期了。请到平台后台重新取一个，再开播。",
        "{host} refused the key: it may be wrong or expired. Get a new one from the platform and go live again.",
    ),
    (
        "destination_refused_on_air",
        "{host} 说这个推流码正在别处推。请停掉另一个推流软件，或到平台后台换一个推流码，再开播。",
        "{host} says that this key is on air already. Stop the other program that pushes, or get a new key from the platform, and go live again.",
    ),
    (
        "destination_refused_address",
        "{host} 上没有这个地址。请到平台后台重新复制整条推流地址，再开播。",
        "{host} does not know this address. Copy the whole push address from the platform again and go live again.",
    ),
    (
        "destination_refused_certificate",
        "{host} 的安全证书不可信，没有推给它。请核对推流地址和电脑的日期时间，再开播。",
        "The certificate of {host} cannot be trusted; nothing was pushed there. Check the push address and the date and time of this computer, and go live again.",
    ),
    (
        "destination_refused_closed",
        "{host} 接通后马上挂断了，多半是推流码不对或过期。请到平台后台重新取一个，再开播。",
        "{host} hung up at once: most likely the key is wrong or expired. Get a new one from the platform and go live again.",
    ),
    (
        "destination_slow",
        "到 {host} 的网络太慢，画质已自动降低，再慢会丢帧。请换网络。",
        "The network to {host} is too slow: quality was lowered by itself, frames are dropped if it gets worse. Change the network.",
    ),
    ("destination_caught_up", "到 {host} 的网络跟上了，不用操作。", "The network to {host} carries the show again; nothing to do."),
    (
        "picture_lowered",
        "到 {host} 的网络变慢，画质已自动降到 {percent}%，声音不受影响。请少占网络，或换一个网络。",
        "The network to {host} got slower: the picture was lowered to {percent} % by itself, the sound is whole. Change the network, or use it less.",
    ),
    ("picture_restored", "画质已恢复，不用操作。", "The picture has its full quality again; nothing to do."),
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
        "database_suspect",
        "数据库有损坏，直播和订单继续。下播后关掉程序再打开，它会换上最近的好备份，之后的订单重新读。请检查磁盘。",
        "The database has damage; the show and its orders go on. After the show close Stallcast and open it again: it puts the newest good copy in its place and reads later orders again. Check the disk.",
    ),
    (
        "database_renewed",
        "数据库坏了，也没有备份，已重新开始；商品和订单正从店铺重新读。坏掉的文件留在数据文件夹里。请把推流地址再填一次。",
        "The database was damaged and there was no copy; it begins anew. Products and orders are read from the shop again; the damaged file stays in the data folder. Enter your destinations once more.",
    ),
    (
        "clean_feed_stopped",
        "磁盘快满了，干净画面 {path} 停了，已录的都在；剩下的空间留给录像，直播照常。请腾出空间。",
        "The disk is nearly full: the clean picture {path} stopped and is kept, the room left belongs to the recording; the show goes on. Free some space.",
    ),
    (
        "clean_feed_failed",
        "干净画面 {path} 写不下去了；直播和录像照常。请检查磁盘和文件夹，再重新开始录像。",
        "The clean picture {path} cannot be written; show and recording go on. Check the disk and the folder, and start the recording again.",
    ),
    (
        "viewers_lost",
        "观看页面的画面写不进去，观众看不到；推流和录制照常。请检查数据文件夹所在的磁盘。",
        "The picture for the viewer page cannot be written, viewers do not see it; push and recording go on. Check the disk of the data folder.",
    ),
    (
        "recording_failed",
        "录像 {path} 写不下去了；直播照常。请检查磁盘，再重新开始录像。",
        "The recording {path} cannot be written; the show goes on. Check the disk and start the recording again.",
    ),
    (
        "recording_behind",
        "磁盘太慢，录像来不及写，再慢会缺画面；直播照常。请关掉正在占用磁盘的程序，或换一个磁盘录。",
        "The disk is too slow for the recording, which will lack pictures if it lasts; the show goes on. Close what uses the disk, or record to another one.",
    ),
    ("recording_caught_up", "录像写得上了，不用操作。", "The recording is written in time again; nothing to do."),
    ("disk_low", "录像空间只够 {minutes} 分钟了。请腾出空间。", "Room for {minutes} more minutes of recording. Free some space."),
    (
        "disk_saving",
        "录像空间只够 {minutes} 分钟了，画质已自动降到 {percent}%，好多录一会儿。请腾出空间。",
        "Room for {minutes} more minutes of recording: quality was lowered to {percent} % by itself so that it lasts longer. Free some space.",
    ),
    ("disk_enough", "录像空间够了，不用操作。", "There is room for the recording again; nothing to do."),
    (
        "recording_repaired",
        "上次没录完的 {name} 已修好，约 {minutes} 分钟，不用操作。",
        "The recording {name} was cut off last time; it is repaired and plays, about {minutes} min; nothing to do.",
    ),
    (
        "encoder_behind",
        "电脑编码跟不上，正在跳帧。请关掉别的程序或降低画布。",
        "The encoder cannot keep up; frames are skipped. Close other programs or use a smaller canvas.",
    ),
    ("on_battery", "电脑在用电池，还有 {percent}%。请插上电源。", "The computer runs on its battery, {percent} % left. Plug it in."),
    (
        "battery_low",
        "电池只剩 {percent}%，撑不了多久。请马上插上电源，否则直播会断。",
        "Only {percent} % of the battery is left. Plug in now, or the show will break off.",
    ),
    (
        "not_kept_awake",
        "系统没有答应保持唤醒，直播时电脑可能睡着。请到系统设置里关掉自动睡眠。",
        "The system did not agree to stay awake: this computer may fall asleep in the show. Change that in the system settings: no automatic sleep.",
    ),
    ("power_back", "电源已接上，不用操作。", "The power supply is back; nothing to do."),
    (
        "encoder_hung",
        "编码器 {from} 卡死了，已换成 {to}，直播没有中断；重开程序之前不再用它。请更新显卡驱动。",
        "The encoder {from} hung and {to} took over; the show goes on, and it is not used again before the program starts anew. Install a newer graphics driver.",
    ),
    (
        "encoder_replaced",
        "编码器 {from} 出错，已换成 {to}，直播没有中断。画面发卡就降低画布。",
        "The encoder {from} failed and {to} took over; the show goes on. If the picture stutters, use a smaller canvas.",
    ),
    (
        "program_late",
        "电脑合成画面来不及，画面会卡顿。请关掉别的程序。",
        "The machine composes too slowly and the picture stutters. Close other programs.",
    ),
    (
        "part_restarted",
        "一个部件出错后已自动重新启动，不用操作；反复出现请重开程序。",
        "A part failed and was started again by itself; nothing to do. Start the program again if it comes back.",
    ),
    (
        "engine_restarted",
        "媒体进程已自动重新启动，画面断了 {gap_ms} 毫秒，不用操作；反复出现请重开电脑。",
        "The media process was started again by itself, no picture for {gap_ms} ms; nothing to do. Restart the computer if it comes back.",
    ),
    (
        "engine_away",
        "画面进程起不来，正在自动重试，在那之前没有画面。一直这样请重开电脑。",
        "The media process does not start, which is tried again by itself: no picture until then. Restart the computer if it stays so.",
    ),
    (
        "engine_away_died",
        "画面进程停了，画面也停了，正在自动重新启动。一直这样请重开电脑。",
        "The media process stopped, and the picture with it; it is being started again by itself. Restart the computer if it stays so.",
    ),
    (
        "engine_away_version",
        "另一个版本还在直播。请先结束那一场，这里会自动继续。",
        "Another version of Stallcast still runs a show here. Stop that show: this one then goes on by itself.",
    ),
    ("engine_away_program_missing", "画面程序 {path} 打不开。请重新安装。", "The program {path} does not start. Install Stallcast again."),
    (
        "sources_spared",
        "画面进程连着出错，这次没有打开摄像头和麦克风，直播没有中断，观众看到的是“镜头暂时断开”。请换一个摄像头，或重新插一下再选它。",
        "The media process failed again and again, so camera and microphone were left out; the show goes on, viewers see “Camera interrupted”. Choose another camera, or plug this one in again and choose it.",
    ),
    (
        "show_lost",
        "画面进程出错，直播没能接上，已经停了。请马上重新点“开播”；反复出现请重开电脑。",
        "The media process failed and the show could not be taken up again: it has stopped. Start it again now. Restart the computer if it comes back.",
    ),
    (
        "show_ended",
        "这个程序停住的时候，直播已经结束了。要继续，请重新开播。",
        "The show ended while this program stood still. Start it again to go on.",
    ),
    ("shop_restarted", "本地店铺已自动重新启动，不用操作。", "The local shop was started again by itself; nothing to do."),
    (
        "missing_glyphs",
        "有 {count} 个字没有字体，画面里显示为方框。请装中文字体。",
        "{count} characters have no font and show as boxes. Install a font that has them.",
    ),
    (
        "platform_unreachable",
        "连不上 {connection}，订单暂时核对不了，连上后会自动继续。请检查网络。",
        "{connection} cannot be reached; orders cannot be checked until it is back, which goes by itself. Check the network.",
    ),
    (
        "platform_unreachable_unauthorized",
        "{connection} 不认现在的令牌，订单暂时核对不了。请到设置里移除它，再用新令牌添加。",
        "{connection} does not accept the token any more; orders cannot be checked. Get a new token, remove the shop in the settings and add it again.",
    ),
    ("platform_back", "{connection} 恢复了，不用操作。", "{connection} is back; nothing to do."),
    (
        "intent_failed",
        "有 {count} 项操作没有送到平台。请看标红的行，再发一次。",
        "Not delivered to the platform: {count}. Look at the red rows and send them again.",
    ),
    (
        "clock_behind",
        "这台电脑的时钟比 {connection} 慢 {seconds} 秒。倒计时已按店铺时间；请在系统设置里校准时钟。",
        "This computer's clock is {seconds} s behind {connection}. Countdowns follow the shop; set the clock in the system settings.",
    ),
    (
        "clock_ahead",
        "这台电脑的时钟比 {connection} 快 {seconds} 秒。倒计时已按店铺时间；请在系统设置里校准时钟。",
        "This computer's clock is {seconds} s ahead of {connection}. Countdowns follow the shop; set the clock in the system settings.",
    ),
];

/// What a platform changes in a show or would rather have otherwise.
pub(crate) const NOTES: &[(&str, &str, &str)] = &[
    (
        "lowered_video",
        "{host} 最多收 {most} kbit/s 的画面，这一场从 {have} 降到 {most}。",
        "{host} takes at most {most} kbit/s of picture: this show is lowered from {have} to {most}.",
    ),
    (
        "lowered_audio",
        "{host} 最多收 {most} kbit/s 的声音，这一场从 {have} 降到 {most}。",
        "{host} takes at most {most} kbit/s of sound: this show is lowered from {have} to {most}.",
    ),
    (
        "above_video",
        "{host} 建议画面不超过 {most} kbit/s，现在是 {have}。卡顿时请用 --video-kbps 调低。",
        "For {host} at most {most} kbit/s of picture are advised, this show has {have}. Lower it with --video-kbps if it stutters.",
    ),
    (
        "above_audio",
        "{host} 建议声音不超过 {most} kbit/s，现在是 {have}。请用 --audio-kbps 调低。",
        "For {host} at most {most} kbit/s of sound are advised, this show has {have}. Lower it with --audio-kbps.",
    ),
    (
        "above_fps",
        "{host} 最多收每秒 {most} 帧，现在是 {have} 帧，可能推不上去。请用 --fps {most}。",
        "{host} takes at most {most} frames a second, this show has {have} and may be refused. Use --fps {most}.",
    ),
    (
        "above_size",
        "{host} 最大收 {most}，画布是 {have}，可能推不上去。请用 --canvas 调小。",
        "{host} takes at most {most}, the canvas is {have} and may be refused. Make it smaller with --canvas.",
    ),
    (
        "wants_landscape",
        "{host} 的观众看横屏，竖屏画面两边会有黑边。要铺满请用 --canvas 1280x720。",
        "Viewers on {host} watch in landscape: a portrait picture gets black bars. Use --canvas 1280x720 to fill it.",
    ),
    (
        "wants_portrait",
        "{host} 的观众看竖屏，横屏画面上下会有黑边。要铺满请用 --canvas 720x1280。",
        "Viewers on {host} watch in portrait: a landscape picture gets black bars. Use --canvas 720x1280 to fill it.",
    ),
    (
        "keyframe",
        "{host} 要每 {seconds} 秒一个关键帧，这一场照办，画质略降。",
        "{host} wants a keyframe every {seconds} s: this show has it, at slightly less quality.",
    ),
    (
        "b_frames",
        "{host} 最多收 {count} 个 B 帧，这一场照办，画质略降。",
        "{host} takes at most {count} B-frames: this show keeps to it, at slightly less quality.",
    ),
];
