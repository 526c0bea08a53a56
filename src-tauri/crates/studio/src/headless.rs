//! A whole show without a window: `stallcast live`.

use crate::args::LivePlan;
use crate::error::StudioError;
use crate::output::Terminal;
use crate::show::ShowPlan;
use crate::{ShopMode, Studio, StudioOptions, follow, process};
use serde_json::json;
use stallcast_engine::protocol::{EngineState, Event, LinkState, LinkStatus, State, Summary};
use stallcast_media::HealthCode;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio_util::sync::CancellationToken;

/// A show that only pushes gives up when nobody accepted it for this long.
const ACCEPT_LIMIT: Duration = Duration::from_secs(30);
/// Exit status of a show that broke off.
const LOST: u8 = 5;

/// Cancelled by the first Ctrl-C (or SIGTERM). The second one leaves at once, with status 130.
pub(crate) fn first_interrupt(terminal: Terminal) -> CancellationToken {
    let token = CancellationToken::new();
    let first = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            () = process::shut_down_signal() => {}
        }
        if !terminal.json {
            terminal.say("ending", &[]);
        }
        first.cancel();
        if tokio::signal::ctrl_c().await.is_ok() {
            let error = StudioError::new("interrupted");
            terminal.error(&error);
            std::process::exit(i32::from(error.exit_code()));
        }
    });
    token
}

/// Runs the show to its end and returns the exit status.
pub(crate) async fn live(mut options: StudioOptions, plan: LivePlan, terminal: Terminal) -> u8 {
    let interrupt = first_interrupt(terminal);
    options.shop = plan.shop.map_or(ShopMode::Off, |listen| ShopMode::On { listen });
    options.configuration = Some(plan.configuration.clone());
    options.refuse_running = !plan.attach;
    let data = options.data.clone();
    let (attach, has_output) = (plan.attach, plan.has_output());
    let opened = Studio::open(options).await;
    let studio = match opened {
        Ok(studio) => studio,
        // Somebody else works on the folder: its show can still be followed.
        Err(e) if attach && e.code() == "folder_busy" => return follow::follow(&data, terminal, interrupt).await,
        Err(error) => {
            terminal.error(&error);
            return error.exit_code();
        }
    };
    // From here on no news is missed, whatever the shop and the sources take to come up.
    let news = studio.news();
    // Sources and shop that a person asked for stand before anything else is said.
    let ready = tokio::select! {
        ready = studio.ready() => ready,
        () = interrupt.cancelled() => Err(StudioError::new("interrupted")),
    };
    if let Err(error) = ready {
        if error.code() != "interrupted" {
            terminal.error(&error);
        }
        studio.close().await;
        // Told to end before there was anything to end.
        return if error.code() == "interrupted" { 0 } else { error.exit_code() };
    }
    let status = match studio.is_on_air() {
        false if attach && !has_output => {
            let error = StudioError::new("no_show");
            terminal.error(&error);
            error.exit_code()
        }
        adopted => run(&studio, news, plan, adopted, terminal, &interrupt).await,
    };
    studio.close().await;
    status
}

async fn run(
    studio: &Studio,
    mut news: Receiver<Event>,
    plan: LivePlan,
    adopted: bool,
    terminal: Terminal,
    interrupt: &CancellationToken,
) -> u8 {
    say_ready(studio, terminal);
    let mut watch = Watch::new(&plan);
    let mut last_state: Option<State> = None;
    watch.take_early(&mut news, terminal);
    if !adopted {
        terminal.notes(&plan.notes);
        let started = begin(studio, plan, interrupt).await;
        if let Err(error) = started {
            terminal.error(&error);
            return error.exit_code();
        }
    }
    let state = studio.engine_state();
    watch.live |= state.engine == EngineState::Live;
    watch.see(&state.links);
    watch.see_files(&state.recordings, &state.clean_feeds);
    terminal.state(&state);
    last_state.replace(state);
    let began = tokio::time::Instant::now();
    let mut ended: Option<Summary> = None;
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    let end = loop {
        tokio::select! {
            biased;
            () = interrupt.cancelled() => break None,
            event = news.recv() => match event {
                Ok(Event::Ended(summary)) => {
                    ended = Some(summary);
                    break None;
                }
                Ok(event) => watch.take(&event, &mut last_state, terminal),
                // The next state and figures come whole. The end comes once.
                Err(RecvError::Lagged(_)) => {
                    ended = studio.last_summary();
                    if ended.is_some() {
                        break None;
                    }
                }
                Err(RecvError::Closed) => break Some(StudioError::new("engine_down").with("detail", "closed")),
            },
            _ = tick.tick() => {
                if let Some(error) = watch.give_up(began.elapsed()) {
                    break Some(error);
                }
                if !adopted && watch.overdue(began.elapsed()) {
                    watch.lost |= !watch.live;
                    break None;
                }
            }
        }
    };
    // What the processes cost is read while they live.
    let shop_cost = studio.shop_cost();
    let summary = match ended {
        Some(summary) => Ok(summary),
        None => studio.finish_show().await,
    };
    let error = end.or_else(|| watch.never_accepted());
    if let Some(error) = &error {
        terminal.error(error);
    }
    match summary {
        Ok(mut summary) => {
            studio.count_all_processes(&mut summary, shop_cost);
            watch.see_files(&summary.recordings, &summary.clean_feeds);
            summary.recordings = std::mem::take(&mut watch.recordings);
            summary.clean_feeds = std::mem::take(&mut watch.clean_feeds);
            terminal.summary(&summary);
            error.map_or(if watch.lost { LOST } else { 0 }, |e| e.exit_code())
        }
        Err(failed) => {
            if error.is_none() {
                terminal.error(&failed);
            }
            error.unwrap_or(failed).exit_code()
        }
    }
}

fn say_ready(studio: &Studio, terminal: Terminal) {
    let shop = studio.shop_url();
    let viewer = shop.as_ref().map(|url| format!("{url}/"));
    let token = shop.as_ref().map(|_| studio.seller_token_file());
    let state = studio.engine_state();
    if terminal.json {
        terminal.line(&json!({
            "type": "ready", "shop_url": shop, "viewer_url": viewer, "seller_token_file": token, "camera": state.camera, "mic": state.mic,
            "demo": state.demo,
        }));
        return;
    }
    if studio.key_is_in_a_file() {
        terminal.say("key_in_file", &[("path", &studio.data().join("master.key").display().to_string())]);
    }
    terminal.say("ready", &[("camera", &state.camera), ("mic", &state.mic)]);
    if let (Some(url), Some(token)) = (viewer, token) {
        terminal.say("shop_at", &[("url", &url)]);
        terminal.say("seller_token_at", &[("path", &token.display().to_string())]);
    }
}

async fn begin(studio: &Studio, plan: LivePlan, interrupt: &CancellationToken) -> Result<(), StudioError> {
    if let Some(sku) = &plan.pin {
        tokio::select! {
            pinned = studio.pin_sku(sku) => pinned?,
            // The show below starts and ends at once, with its summary.
            () = interrupt.cancelled() => {}
        }
    }
    let LivePlan { destinations, recording, clean_feed, for_s, limits, .. } = plan;
    studio.start_show(ShowPlan { destinations, recording, clean_feed, for_s, limits }).await
}

/// What decides the exit status.
pub(crate) struct Watch {
    hosts: BTreeSet<String>,
    accepted: bool,
    refused: BTreeSet<String>,
    /// Why, as far as the servers said.
    reasons: BTreeSet<String>,
    /// Somebody has the show: a destination, a file or the viewers.
    live: bool,
    links: usize,
    /// Something besides destinations receives the show.
    other_output: bool,
    for_s: Option<u64>,
    /// The media process died and no other took the show up; said as health already.
    lost: bool,
    /// Files of the whole show: a media process that was started again knows only its own.
    recordings: Vec<PathBuf>,
    /// The same for the clean feed.
    clean_feeds: Vec<PathBuf>,
}

impl Watch {
    fn new(plan: &LivePlan) -> Self {
        Self {
            hosts: BTreeSet::new(),
            accepted: false,
            refused: BTreeSet::new(),
            reasons: BTreeSet::new(),
            live: false,
            links: plan.destinations.len(),
            other_output: plan.recording.is_some() || plan.shop.is_some() || !plan.has_output(),
            for_s: plan.for_s,
            lost: false,
            recordings: Vec::new(),
            clean_feeds: Vec::new(),
        }
    }

    /// For a show that somebody else started.
    pub(crate) fn following(state: &State) -> Self {
        let mut watch = Self {
            hosts: BTreeSet::new(),
            accepted: false,
            refused: BTreeSet::new(),
            reasons: BTreeSet::new(),
            live: false,
            links: 0,
            other_output: true,
            for_s: None,
            lost: false,
            recordings: Vec::new(),
            clean_feeds: Vec::new(),
        };
        watch.see(&state.links);
        watch
    }

    pub(crate) fn take(&mut self, event: &Event, last: &mut Option<State>, terminal: Terminal) {
        match event {
            Event::State(state) => {
                self.live |= state.engine == EngineState::Live;
                self.see(&state.links);
                self.see_files(&state.recordings, &state.clean_feeds);
                let was = last.as_ref().map(|s| s.engine);
                if last.as_ref() != Some(state) {
                    terminal.state(state);
                }
                if was != Some(state.engine) && !terminal.json {
                    match state.engine {
                        EngineState::Starting => terminal.say("starting", &[]),
                        EngineState::Live => terminal.say("live", &[]),
                        _ => {}
                    }
                }
                *last = Some(state.clone());
            }
            Event::Stats(stats) => {
                self.see(&stats.links);
                terminal.stats(stats);
            }
            Event::Health(health) => {
                if health.code == HealthCode::DestinationRefused
                    && let Some(reason) = health.params.get("reason")
                {
                    self.reasons.insert(reason.clone());
                }
                self.lost |= health.code == HealthCode::ShowLost;
                terminal.health(health);
            }
            Event::Levels { .. } | Event::Preview { .. } | Event::Ended(_) => {}
        }
    }

    /// What was told while the studio opened. States and ends of that time are those of an earlier show.
    fn take_early(&mut self, news: &mut Receiver<Event>, terminal: Terminal) {
        loop {
            match news.try_recv() {
                Ok(event @ Event::Health(_)) => self.take(&event, &mut None, terminal),
                Ok(_) | Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn see_files(&mut self, recordings: &[PathBuf], clean_feeds: &[PathBuf]) {
        for (known, seen) in [(&mut self.recordings, recordings), (&mut self.clean_feeds, clean_feeds)] {
            for path in seen {
                if !known.contains(path) {
                    known.push(path.clone());
                }
            }
        }
    }

    fn see(&mut self, links: &[LinkStatus]) {
        self.links = self.links.max(links.len());
        for link in links {
            self.hosts.insert(link.host.clone());
            // A link that was accepted once stays so: `Reconnecting` means exactly that.
            self.accepted |= matches!(link.state, LinkState::Publishing | LinkState::Reconnecting);
            if link.state == LinkState::Refused {
                self.refused.insert(link.id.clone());
            }
        }
    }

    fn failure(&self) -> StudioError {
        let hosts = self.hosts.iter().cloned().collect::<Vec<_>>().join(", ");
        let all_refused = self.refused.len() >= self.links;
        let error = StudioError::new(if all_refused { "destination_refused" } else { "never_accepted" }).with("hosts", hosts);
        // One reason for all has a sentence of its own.
        match self.reasons.first() {
            Some(reason) if all_refused && self.reasons.len() == 1 => error.with("reason", reason),
            _ => error,
        }
    }

    pub(crate) fn never_accepted(&self) -> Option<StudioError> {
        (self.links > 0 && !self.accepted).then(|| self.failure())
    }

    /// Nobody takes the show and nothing else is made of it.
    fn give_up(&self, since: Duration) -> Option<StudioError> {
        let hopeless = self.refused.len() >= self.links || since >= ACCEPT_LIMIT;
        if self.other_output || !hopeless { None } else { self.never_accepted() }
    }

    /// `--for` counts from the first accepted packet, or the first piece in a file. Where none ever comes, a show must not run for
    /// ever.
    fn overdue(&self, since: Duration) -> bool {
        let limit = self.for_s.map(|s| Duration::from_secs(s) + ACCEPT_LIMIT);
        let counts = if self.links > 0 { self.accepted } else { self.live };
        !counts && self.other_output && limit.is_some_and(|l| since >= l)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(id: &str, state: LinkState) -> LinkStatus {
        LinkStatus { id: id.to_owned(), host: format!("{id}.example"), state, bytes_sent: 0, reconnects: 0, dropped: 0, behind_ms: 0 }
    }

    fn watch(links: usize, other_output: bool) -> Watch {
        Watch {
            hosts: BTreeSet::new(),
            accepted: false,
            refused: BTreeSet::new(),
            reasons: BTreeSet::new(),
            live: false,
            links,
            other_output,
            for_s: Some(5),
            lost: false,
            recordings: Vec::new(),
            clean_feeds: Vec::new(),
        }
    }

    #[test]
    fn a_show_that_only_pushes_gives_up_when_all_refuse_or_time_is_over() {
        let mut w = watch(2, false);
        w.see(&[link("a", LinkState::Refused), link("b", LinkState::Connecting)]);
        assert!(w.give_up(Duration::from_secs(1)).is_none(), "one may still accept");
        assert_eq!(w.give_up(ACCEPT_LIMIT).map(|e| (e.code().to_owned(), e.exit_code())), Some(("never_accepted".to_owned(), 4)));
        w.see(&[link("a", LinkState::Refused), link("b", LinkState::Refused)]);
        let e = w.give_up(Duration::ZERO).expect("all refused");
        assert_eq!((e.code(), e.exit_code(), e.params()["hosts"].as_str()), ("destination_refused", 4, "a.example, b.example"));
    }

    #[test]
    fn a_recording_goes_on_but_the_status_says_nobody_accepted() {
        let mut w = watch(1, true);
        w.see(&[link("a", LinkState::Refused)]);
        assert!(w.give_up(ACCEPT_LIMIT * 2).is_none());
        assert_eq!(w.never_accepted().map(|e| e.exit_code()), Some(4));
        assert!(!w.overdue(Duration::from_secs(6)) && w.overdue(Duration::from_secs(36)));
    }

    #[test]
    fn a_show_without_destinations_that_never_begins_does_not_run_for_ever() {
        let mut w = watch(0, true);
        assert!(!w.overdue(Duration::from_secs(6)) && w.overdue(Duration::from_secs(36)));
        w.live = true;
        assert!(!w.overdue(Duration::from_secs(36)), "it ends by its own time");
    }

    #[test]
    fn once_accepted_is_accepted() {
        let mut w = watch(1, false);
        w.see(&[link("a", LinkState::Publishing)]);
        w.see(&[link("a", LinkState::Closed)]);
        assert!(w.never_accepted().is_none() && w.give_up(ACCEPT_LIMIT * 9).is_none());
        assert!(watch(0, true).never_accepted().is_none(), "no destination, nothing to accept");
    }
}
