//! The role `orders`: starts a platform, and workers that it kills.

use crate::Outcome;
use crate::checks::{Truth, after_death, at_rest};
use crate::words::Dice;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

/// After so many rounds the platform behaves, the studio comes to rest, and everything is compared.
const REST_EVERY: u64 = 10;
/// A life that does not come by its failpoint ends here.
const LIFE_MOST: Duration = Duration::from_millis(1_500);

/// Names of all failpoints, from the source.
fn failpoints() -> Outcome<Vec<String>> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut names = Vec::new();
    for name in ["store", "platform", "sync"] {
        for file in std::fs::read_dir(crates.join(name).join("src"))? {
            let path = file?.path();
            if path.is_file() {
                let text = std::fs::read_to_string(&path)?;
                names.extend(
                    text.split("failpoint!(\"").skip(1).filter_map(|rest| rest.split('"').next()).map(|n| format!("failpoint:{n}")),
                );
            }
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

struct Rounds {
    data: PathBuf,
    token: PathBuf,
    url: String,
    http: reqwest::Client,
    /// Changes up to here are proven to be stored.
    proven: i64,
    deaths: BTreeMap<String, u64>,
    missed: BTreeMap<String, u64>,
}

impl Rounds {
    async fn control(&self, what: &str, body: Value) -> Outcome<Value> {
        let text = self.http.post(format!("{}/control/{what}", self.url)).body(body.to_string()).send().await?.text().await?;
        Ok(serde_json::from_str(&text)?)
    }

    async fn truth(&self) -> Outcome<Truth> {
        Truth::read(self.control(&format!("truth?since={}", self.proven), Value::Null).await?)
    }

    fn worker(&self) -> Outcome<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("worker").arg("--data").arg(&self.data).arg("--token").arg(&self.token).args(["--url", &self.url]);
        command.kill_on_drop(true);
        Ok(command)
    }

    async fn round(&mut self, n: u64, dice: &mut Dice, failpoints: &[String]) -> Outcome {
        let seed = dice.throw();
        self.control("begin", json!({ "seed": seed, "knowsKeys": n % 4 < 2, "hostile": true })).await?;
        let mut command = self.worker()?;
        command.args(["--seed", &dice.throw().to_string()]);
        // Odd rounds at a random instant, even ones at a failpoint.
        let at = n.is_multiple_of(2).then(|| failpoints[usize::try_from(n / 2).unwrap_or(0) % failpoints.len()].clone());
        let life = if let Some(at) = &at {
            command.args(["--die-at", at, "--pass", &(dice.below(6) + 1).to_string()]);
            LIFE_MOST
        } else {
            Duration::from_millis(10 + dice.below(600))
        };
        let mut child = command.spawn()?;
        let death = match tokio::time::timeout(life, child.wait()).await {
            Ok(status) => {
                let status = status?;
                if !killed(&status) {
                    return Err(format!("the worker ended by itself: {status}").into());
                }
                at.unwrap_or_default()
            }
            Err(_) => {
                child.kill().await?;
                if let Some(at) = at {
                    *self.missed.entry(at).or_default() += 1;
                }
                "at a random instant".to_owned()
            }
        };
        *self.deaths.entry(death).or_default() += 1;
        self.proven = after_death(&self.data, &self.truth().await?).await?.unwrap_or(self.proven);
        Ok(())
    }

    async fn rest(&mut self) -> Outcome {
        self.control("begin", json!({ "seed": 0, "knowsKeys": true, "hostile": false })).await?;
        // What was still on its way to the platform arrives.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let status = self.worker()?.arg("--settle").spawn()?.wait().await?;
        if !status.success() {
            return Err(format!("the studio does not come to rest: {status}").into());
        }
        let truth = self.truth().await?;
        let orders = serde_json::from_value(self.control("orders", Value::Null).await?)?;
        at_rest(&self.data, &orders, &truth).await?;
        self.proven = truth.last_version().unwrap_or(self.proven);
        Ok(())
    }
}

fn killed(status: &ExitStatus) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        status.signal() == Some(9)
    }
    #[cfg(not(unix))]
    {
        !status.success()
    }
}

pub async fn run(rounds: u64, seed: u64) -> Outcome {
    let failpoints = failpoints()?;
    let dir = tempfile::tempdir()?;
    let token = dir.path().join("token");
    let mut platform = Command::new(std::env::current_exe()?);
    let mut platform = platform.arg("platform").arg("--token").arg(&token).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let told = platform.stdout.take().ok_or("no output")?;
    let url = BufReader::new(told).lines().next_line().await?.ok_or("the platform does not say where it is")?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    let data = dir.path().join("data");
    std::fs::create_dir(&data)?;
    let mut all = Rounds { data, token, url, http, proven: 0, deaths: BTreeMap::new(), missed: BTreeMap::new() };
    let (mut dice, begun) = (Dice(seed), Instant::now());
    println!("seed {seed}, {rounds} rounds, {} failpoints", failpoints.len());
    for n in 0..rounds {
        let round = async {
            all.round(n, &mut dice, &failpoints).await?;
            if (n + 1).is_multiple_of(REST_EVERY) || n + 1 == rounds { all.rest().await } else { Ok(()) }
        };
        if let Err(e) = round.await {
            // The folder tells more than the sentence.
            let kept = dir.keep();
            return Err(format!("seed {seed}, round {n}: {e} (kept in {})", kept.display()).into());
        }
        if (n + 1).is_multiple_of(100) {
            println!("{} rounds, {:.0} s", n + 1, begun.elapsed().as_secs_f64());
        }
    }
    let truth = all.truth().await?;
    let of = |kind: &str| truth.applied.keys().filter(|k| k.starts_with(kind)).count();
    let orders = all.control("orders", Value::Null).await?.as_object().map_or(0, serde_json::Map::len);
    println!(
        "{rounds} rounds in {:.0} s: 0 of {orders} orders lost or doubled, 0 of {} shipments, 0 of {} answers to buyers and 0 of {} coupons \
         doubled, the seal never lied",
        begun.elapsed().as_secs_f64(),
        of("ship "),
        of("answer "),
        of("coupon ")
    );
    println!("deaths: {:?}", all.deaths);
    println!("failpoints not reached in a life: {:?}", all.missed);
    let mut faults: Vec<_> = truth.faults.iter().collect();
    faults.sort();
    println!("faults met: {faults:?}");
    Ok(())
}
