//! The command line: reads words, starts what they ask for, ends with the exit status of the contract.

use crate::args::{CommandLine, LiveArgs, LivePlan, ShopArgs, Subcommands};
use crate::error::StudioError;
use crate::messages::Language;
use crate::output::Terminal;
use crate::programs::Program;
use crate::{Redactor, StudioOptions, bag_command, folder, headless, logging, process, programs, report, selling_command, shops_command};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

/// What the window needs to open the studio. Logging has been started.
#[derive(Debug, Clone)]
pub struct WindowOptions {
    /// Give this to [`crate::Studio::open`].
    pub studio: StudioOptions,
    /// Language of the environment; the saved setting wins once the folder is open.
    pub language: Language,
    /// `STALLCAST_LANG` is set: it wins over the saved setting.
    pub language_forced: bool,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The entry of `stallcast`: does what the process's arguments say and returns its exit status. Window and media process
/// are the programs beside this one.
pub fn main() -> ExitCode {
    with_words(|words, caller, command| caller.carry_out(words, command))
}

/// The entry of `stallcast-window`. `window` opens the window and returns when it is closed; it is called on the calling
/// thread, outside any runtime. `display_answers` is asked before: a display that is named and gone is said in a sentence,
/// with nothing opened yet. Nobody asked for a show without a window then. Subcommands are the business of the program beside
/// this one.
pub fn main_of_window(display_answers: impl FnOnce() -> bool, window: impl FnOnce(WindowOptions) -> ExitCode) -> ExitCode {
    with_words(|words, caller, command| match command {
        None if has_display() && display_answers() => open_window(caller, window),
        None if has_display() => refuse(caller.terminal, &StudioError::new("display_silent").with("display", displays().join(", "))).into(),
        _ => caller.go_on_as(Program::Commands, words),
    })
}

/// The entry of `stallcast-engine`: the media process. All else is the business of the program beside this one.
pub fn main_of_engine() -> ExitCode {
    with_words(|words, caller, command| match command {
        Some(Subcommands::Engine) => caller.engine().into(),
        _ => caller.go_on_as(Program::Commands, words),
    })
}

/// Reads the process's arguments, and has `run` do what they ask for; it gets the words without the program too.
fn with_words(run: impl FnOnce(&[OsString], &Caller, Option<Subcommands>) -> ExitCode) -> ExitCode {
    stallcast_engine::no_core_file();
    let words: Vec<OsString> = std::env::args_os().collect();
    let words = words.as_slice();
    let language = Language::from_environment(variable);
    let json = words.iter().any(|w| w == "--json");
    let terminal = Terminal { json, language };
    let line = match parse(words, language) {
        Ok(line) => line,
        Err(Parsed::Shown) => return ExitCode::SUCCESS,
        Err(Parsed::Refused(error)) => return refuse(terminal, &error).into(),
    };
    let data = match line.data.clone().or_else(|| folder::default_data(variable)).and_then(|p| std::path::absolute(p).ok()) {
        Some(data) => data,
        None => return refuse(terminal, &StudioError::new("data_unwritable").with("path", "HOME")).into(),
    };
    let caller = Caller { data, passphrase_file: line.passphrase_file, terminal };
    run(words.get(1..).unwrap_or_default(), &caller, line.command)
}

fn refuse(terminal: Terminal, error: &StudioError) -> u8 {
    terminal.error(error);
    error.exit_code()
}

enum Parsed {
    /// Help or version was asked for and printed.
    Shown,
    Refused(StudioError),
}

fn parse(words: &[OsString], language: Language) -> Result<CommandLine, Parsed> {
    let command = crate::help::localise(CommandLine::command(), language);
    let parsed = command.try_get_matches_from(words).and_then(|m| CommandLine::from_arg_matches(&m));
    parsed.map_err(|e| match e.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed pipe (`--help | head`) is no failure.
            let _ = e.print();
            Parsed::Shown
        }
        _ => Parsed::Refused(StudioError::new("usage").with("detail", wrong_words(&e))),
    })
}

/// The words that are wrong, without a sentence around them: the sentence is ours, in both languages.
fn wrong_words(e: &clap::Error) -> String {
    let kinds = [ContextKind::InvalidSubcommand, ContextKind::InvalidArg, ContextKind::PriorArg, ContextKind::InvalidValue];
    let words: Vec<String> = kinds
        .iter()
        .filter_map(|kind| match e.get(*kind)? {
            ContextValue::String(word) => Some(word.clone()),
            ContextValue::Strings(words) => Some(words.join(" ")),
            _ => None,
        })
        .filter(|word| !word.is_empty())
        .collect();
    // A wrong word may be a misplaced key: an address keeps its host only.
    let text = if words.is_empty() { e.kind().to_string() } else { words.join(" ") };
    Redactor::default().mask(&text).into_owned()
}

struct Caller {
    data: PathBuf,
    passphrase_file: Option<PathBuf>,
    terminal: Terminal,
}

impl Caller {
    fn go_on_as(&self, program: Program, words: &[OsString]) -> ExitCode {
        programs::go_on_as(program, words).unwrap_or_else(|error| refuse(self.terminal, &error).into())
    }

    /// Everything that needs neither window nor codecs; the rest is done by who has them.
    fn carry_out(&self, words: &[OsString], command: Option<Subcommands>) -> ExitCode {
        let (data, terminal) = (&self.data, self.terminal);
        let status = match command {
            None if has_display() => return self.go_on_as(Program::Window, words),
            Some(Subcommands::Engine) => return self.go_on_as(Program::Engine, words),
            None => {
                terminal.say("no_display", &[]);
                without_window(self)
            }
            Some(Subcommands::Live(args)) => self.live(&args),
            Some(Subcommands::Devices(_)) => report::devices(terminal),
            Some(Subcommands::Status(_)) => self.asks(|_| report::status(data, terminal)),
            Some(Subcommands::End(_)) => self.asks(|_| report::end(data, terminal)),
            Some(Subcommands::Bag(args)) => self.asks(|_| bag_command::bag(data, &args, terminal)),
            Some(Subcommands::Explain(args)) => self.asks(|_| bag_command::explain(data, &args, terminal)),
            Some(Subcommands::Price(args)) => self.asks(|_| selling_command::price(data, &args, terminal)),
            Some(Subcommands::Stock(args)) => self.asks(|_| selling_command::stock(data, &args, terminal)),
            Some(Subcommands::Coupon(args)) => self.asks(|_| selling_command::coupon(data, &args, terminal)),
            Some(Subcommands::Orders(args)) => self.asks(|_| selling_command::orders(data, &args, terminal)),
            Some(Subcommands::Shops(args)) => self.asks(|redactor| shops_command::shops(self.options(redactor), data, &args, terminal)),
            Some(Subcommands::Shop(args)) => self.shop(&args),
        };
        status.into()
    }

    /// A command that asks, is answered and ends.
    fn asks<F: Future<Output = u8>>(&self, body: impl FnOnce(Redactor) -> F) -> u8 {
        self.with_runtime("command", false, body)
    }

    /// Starts logging and a runtime, and runs `body` in it.
    fn with_runtime<F: Future<Output = u8>>(&self, log: &str, to_stderr: bool, body: impl FnOnce(Redactor) -> F) -> u8 {
        let redactor = logging::start(&self.data, log, to_stderr);
        match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("studio").build() {
            Ok(runtime) => {
                let status = runtime.block_on(body(redactor));
                // Blocking reads (a device that hangs) must not hold the exit.
                runtime.shutdown_timeout(std::time::Duration::from_secs(1));
                status
            }
            Err(e) => refuse(self.terminal, &StudioError::internal(e)),
        }
    }

    fn options(&self, redactor: Redactor) -> Result<StudioOptions, StudioError> {
        let mut options = StudioOptions::new(self.data.clone(), programs::of_commands().map_err(StudioError::internal)?);
        options.passphrase_file.clone_from(&self.passphrase_file);
        options.keychain = Some(std::sync::Arc::new(crate::keychain::OsKeychain));
        options.redactor = redactor;
        Ok(options)
    }

    fn live(&self, args: &LiveArgs) -> u8 {
        let plan = match LivePlan::new(args, self.terminal.language.tag()) {
            Ok(plan) => plan,
            Err(error) => return refuse(self.terminal, &error),
        };
        self.with_runtime("studio", true, |redactor| async move {
            match self.options(redactor) {
                Ok(options) => headless::live(options, plan, self.terminal).await,
                Err(error) => refuse(self.terminal, &error),
            }
        })
    }

    fn engine(&self) -> u8 {
        let child = start_child();
        self.with_runtime("engine", !child, |_| async {
            if child {
                process::ignore_hangup();
            }
            let options = stallcast_engine::EngineOptions { data: self.data.clone() };
            match stallcast_engine::run(options, until_told()).await {
                Ok(()) => 0,
                Err(e) => refuse(self.terminal, &StudioError::from(e)),
            }
        })
    }

    fn shop(&self, args: &ShopArgs) -> u8 {
        // Its one line is JSON either way, so that a supervisor can read why it did not start.
        let terminal = Terminal { json: true, ..self.terminal };
        let listen = match crate::args::address(&args.listen) {
            Ok(listen) => listen,
            Err(error) => return refuse(terminal, &error),
        };
        let child = start_child();
        self.with_runtime("shop", !child, |_| async {
            if child {
                process::ignore_hangup();
            }
            let options = stallcast_shop::ShopOptions { data: self.data.clone(), listen };
            let ready = |ready: &stallcast_shop::Ready| {
                terminal.line(&serde_json::json!({
                    "type": "ready", "url": ready.url, "bound": ready.bound, "seller_token_file": ready.token_path,
                }));
            };
            match stallcast_shop::run(options, until_told(), ready).await {
                Ok(()) => 0,
                Err(e) => refuse(terminal, &crate::shop_process::start_error(&e, listen, &self.data)),
            }
        })
    }
}

/// Waits for Ctrl-C or SIGTERM; true once one came. For the window, which has a loop of its own. Inside a tokio runtime.
pub async fn told_to_end() -> bool {
    tokio::select! {
        told = tokio::signal::ctrl_c() => told.is_ok(),
        () = process::shut_down_signal() => true,
    }
}

/// A child leaves the terminal's session before anything else happens.
fn start_child() -> bool {
    let child = std::env::var_os(process::CHILD_MARK).is_some();
    if child {
        process::leave_session();
    }
    child
}

/// Cancelled by Ctrl-C or SIGTERM.
fn until_told() -> CancellationToken {
    let token = CancellationToken::new();
    let told = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            () = process::shut_down_signal() => {}
        }
        told.cancel();
    });
    token
}

fn open_window(caller: &Caller, window: impl FnOnce(WindowOptions) -> ExitCode) -> ExitCode {
    let redactor = logging::start(&caller.data, "studio", true);
    match caller.options(redactor) {
        Ok(studio) => {
            let language_forced = variable("STALLCAST_LANG").is_some_and(|v| !v.is_empty());
            window(WindowOptions { studio, language: caller.terminal.language, language_forced })
        }
        Err(error) => refuse(caller.terminal, &error).into(),
    }
}

/// The same show as the window's first start: the shop, and a camera if there is one.
fn without_window(caller: &Caller) -> u8 {
    let devices = stallcast_engine::devices();
    let camera = if devices.cameras.is_empty() { "demo" } else { "device" };
    let mic = match (camera, devices.microphones.is_empty()) {
        ("demo", _) => "demo",
        (_, true) => "none",
        (_, false) => "device",
    };
    let words = ["stallcast", "live", "--shop", "--camera", camera, "--mic", mic].map(OsString::from);
    match parse(&words, caller.terminal.language) {
        Ok(CommandLine { command: Some(Subcommands::Live(args)), .. }) => caller.live(&args),
        _ => refuse(caller.terminal, &StudioError::internal("live")),
    }
}

/// Is there one, as far as the environment says?
fn has_display() -> bool {
    cfg!(not(target_os = "linux")) || !displays().is_empty()
}

/// Their names.
fn displays() -> Vec<String> {
    ["WAYLAND_DISPLAY", "DISPLAY"].iter().filter_map(|name| variable(name).filter(|v| !v.is_empty())).collect()
}
