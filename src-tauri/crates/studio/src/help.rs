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
    ("live", "encoder", "用什么编码画面：auto（先自检通过的显卡编码器，否则 x264）或 software（x264）。"),
    ("live", "to", "推到这个 RTMP 地址（rtmp:// 或 rtmps://），可以重复，最多四个。密钥请放在 --key-file 里。"),
    ("live", "key_file", "密钥文件：第 n 行是第 n 个 --to 的密钥，空行表示地址已经完整。- 表示从标准输入读。"),
    ("live", "record", "录到这个文件。媒体进程重启后接着录到 文件.part2.mp4。"),
    (
        "live",
        "clean_feed",
        "再录一份干净画面（不带商品卡和优惠券），声音相同。不写文件名就录在录像旁边，叫 名字.clean.mp4。绝不耽误直播和录像。",
    ),
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
    ("bag", "", "看直播台的购物袋，或改它：add 商品、remove 编号、up 编号、down 编号。编号永远属于同一件商品。"),
    ("bag", "action", "add、remove、up 或 down；不写就列出购物袋。"),
    ("bag", "what", "购物袋里的编号；add 时写商品 ID 或它用过的编号。"),
    ("explain", "", "讲解购物袋里的一个编号、下一个，或结束讲解。给按键、脚踏板和脚本用。"),
    ("explain", "what", "购物袋里的编号，next（下一个）或 end（结束讲解）。"),
    ("price", "", "改直播台购物袋里一个编号的价格，等店铺确认后结束。"),
    ("price", "number", "购物袋里的编号。"),
    ("price", "price", "一件的新价格，例如 25.80。"),
    ("price", "sku", "规格 ID；不写就是第一个规格。"),
    ("stock", "", "给直播台购物袋里一个编号加减库存，等店铺确认后结束。"),
    ("stock", "number", "购物袋里的编号。"),
    ("stock", "by", "加几件（+5）或减几件（-3）。观众同时买走的不会被盖掉。"),
    ("stock", "sku", "规格 ID；不写就是第一个规格。"),
    ("coupon", "", "看直播台的优惠券，发一张（issue 金额），或提前结束一张（end ID）。"),
    ("coupon", "action", "issue 或 end；不写就列出优惠券。"),
    ("coupon", "what", "issue 时写减多少，例如 30；end 时写券的 ID。"),
    ("coupon", "from", "满多少可用。默认不限金额。"),
    ("coupon", "quantity", "多少人可领，1 到 100000。"),
    ("coupon", "for_", "能领多久（30s 到 24h）。"),
    ("orders", "", "看等你处理的订单，发货（ship 订单），或答复买家的售后（agree 订单、refuse 订单）。"),
    ("orders", "action", "ship、agree 或 refuse；不写就列出等你处理的订单。"),
    ("orders", "order", "买家看到的订单号，或订单 ID。"),
    ("orders", "carrier", "ship 用：快递公司。"),
    ("orders", "tracking", "ship 用：快递单号。"),
    ("orders", "line", "ship 用：某一行发几件，例如 1x2 是第一行发两件，可以重复。不写就发剩下的全部。"),
    ("orders", "reason", "refuse 用：告诉买家的理由。"),
    ("coupon", "shop", "issue 时写在哪家店发，写店铺 ID（用 shops 查）。默认是第一家能发的。"),
    ("orders", "shop", "订单属于哪家店，写店铺 ID（用 shops 查）。只有两家店的订单号相同时才需要。"),
    (
        "shops",
        "",
        "看哪些店铺的订单会进这个直播台，添加同一网络里另一台电脑的店铺（add 地址），给店铺改名（rename ID）或移除（remove ID）。",
    ),
    ("shops", "action", "list、add、rename 或 remove；不写就列出店铺。"),
    ("shops", "what", "add 时写店铺地址，例如 http://192.168.1.20:8080；其他时候写店铺 ID。"),
    ("shops", "token_file", "add 用：那家店的卖家令牌文件，也就是它的 shop.token。- 表示从标准输入读。"),
    ("shops", "name", "add 和 rename 用：你怎么称呼它。默认用它自己的店名。"),
    ("shops", "trust_network", "add 用：你信任中间的网络，令牌和订单会不加密地经过它。"),
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
