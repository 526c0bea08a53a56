//! The help texts of the command line in Chinese. The English ones stand beside the options.

use crate::messages::Language;
use clap::Command;

/// Command (empty for the root) and option, or the command's own text with an empty option.
const ZH: &[(&str, &str, &str)] = &[
    ("", "", "一台笔记本上的直播带货工作室：摄像头、麦克风、商品卡、优惠券、订单。不带子命令时打开窗口。"),
    ("", "data", "存放一切的文件夹：数据库、店铺、密钥、日志、录像。默认是本系统的应用数据文件夹。"),
    ("", "passphrase_file", "口令文件，用来保护数据文件夹里的密钥和买家信息。"),
    ("live", "", "不开窗口播完一整场。按一次 Ctrl-C 干净结束。"),
    ("live", "camera", "画面：device（第一个能用的摄像头）、device:编号、file:路径（循环播放）或 demo。"),
    ("live", "mic", "声音：device、device:编号、file:路径（循环；与画面同一个文件时共用一个时钟）、demo 或 none（静音）。"),
    ("live", "canvas", "画面大小，偶数，每边 160 到 1920。"),
    ("live", "fps", "每秒帧数，5 到 60。"),
    ("live", "video_kbps", "H.264 码率，kbit/s，100 到 20000。"),
    ("live", "audio_kbps", "AAC 码率，kbit/s，32 到 320。"),
    ("live", "low_latency", "编码不留延迟（x264 zerolatency，没有 B 帧），同样画质要更高码率。"),
    ("live", "to", "推到这个 RTMP 地址（rtmp:// 或 rtmps://），可以重复，最多四个。密钥请放在 --key-file 里。"),
    ("live", "key_file", "密钥文件：第 n 行是第 n 个 --to 的密钥，空行表示地址已经完整。- 表示从标准输入读。"),
    ("live", "record", "录到这个文件。媒体进程重启后接着录到 文件.part2.mp4。"),
    ("live", "overwrite", "录像文件已存在时覆盖它。"),
    ("live", "shop", "打开本地店铺和它的观看页面。"),
    ("live", "listen", "店铺的地址和端口，端口 0 由系统挑。要和 --shop 一起用。默认 127.0.0.1:0。"),
    ("live", "pin", "一开始就讲解这个商品：店里的规格编号，或 first。要和 --shop 一起用。"),
    ("live", "for_", "播这么久后自己结束（20s、10m、1h30m 或秒数），从第一个地址收下第一个包算起，没有地址就从录下第一帧算起。"),
    ("live", "attach", "这个文件夹上已有直播时，接管它或跟到它结束，而不是拒绝。"),
    ("live", "json", "在标准输出打印 JSON 行（ready、state、stats、health、summary），日志走标准错误。"),
    ("devices", "", "列出摄像头（带模式）和麦克风。"),
    ("status", "", "看这个数据文件夹上正在跑什么。"),
    ("end", "", "结束这个数据文件夹上的直播，并把录像收好。"),
    ("engine", "", "只运行媒体进程。窗口和 live 会自己启动它。"),
    ("shop", "", "只运行本地店铺。窗口和 live --shop 会自己启动它。"),
    ("shop", "listen", "监听的地址和端口，端口 0 由系统挑。"),
    ("*", "json", "在标准输出打印一份 JSON。"),
];

fn chinese(command: &str, option: &str) -> Option<&'static str> {
    let find = |c: &str| ZH.iter().find(|(in_command, id, _)| *in_command == c && *id == option).map(|(.., text)| *text);
    find(command).or_else(|| find("*"))
}

/// The command with its help in the given language.
pub(crate) fn localise(command: Command, language: Language) -> Command {
    match language {
        Language::En => command,
        Language::Zh => {
            let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
            names.iter().fold(translate(command, ""), |root, name| root.mut_subcommand(name, |sub| translate(sub, name)))
        }
    }
}

fn translate(command: Command, name: &str) -> Command {
    let about = chinese(name, "").unwrap_or_default();
    command.about(about).long_about(about).mut_args(|arg| match chinese(name, arg.get_id().as_str()) {
        Some(text) => arg.help(text).long_help(text),
        None => arg,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::CommandLine;
    use clap::CommandFactory;

    #[test]
    fn every_option_has_a_chinese_text() {
        let root = localise(CommandLine::command(), Language::Zh);
        for command in std::iter::once(&root).chain(root.get_subcommands()) {
            assert!(command.get_about().is_some_and(|a| a.to_string().chars().any(|c| c > '\u{2E7F}')), "{}", command.get_name());
            for arg in command.get_arguments() {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.chars().any(|c| c > '\u{2E7F}'), "{} {}: {help}", command.get_name(), arg.get_id());
            }
        }
    }
}
