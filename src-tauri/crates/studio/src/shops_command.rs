//! `shops`: which shops there are, adding, renaming and removing one. Asked of the studio that owns the folder; where none
//! does, the command holds it for that moment.

use crate::bag_command::{plain, refuse};
use crate::control::{Answer, Question};
use crate::error::StudioError;
use crate::output::Terminal;
use crate::report::ask_owner;
use crate::selling::read_token;
use crate::selling_args::ShopsArgs;
use crate::studio::{Studio, StudioOptions};
use crate::view::{ConnectionView, ShopForm, ShopStateView};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::io::Read;
use std::path::Path;

/// Longest token on standard input, bytes.
const MOST_TOKEN: u64 = 4096;

fn bad(name: &str, detail: &str) -> StudioError {
    StudioError::new("bad_value").with("name", name).with("detail", detail)
}

fn needs(option: &str, needed: &str) -> StudioError {
    StudioError::new("needs_option").with("option", option).with("needed", needed)
}

fn token(path: &Path) -> Result<SecretString, StudioError> {
    let missing = || StudioError::new("token_file_unreadable").with("path", path.display());
    let token = if path == Path::new("-") {
        let mut text = zeroize::Zeroizing::new(String::new());
        std::io::stdin().take(MOST_TOKEN).read_to_string(&mut text).map_err(|_| missing())?;
        Some(SecretString::from(text.trim().to_owned()))
    } else {
        read_token(path).map_err(|_| missing())?
    };
    token.filter(|token| !token.expose_secret().is_empty()).ok_or_else(missing)
}

fn question(args: &ShopsArgs) -> Result<Question, StudioError> {
    let action = args.action.as_deref().unwrap_or("list");
    let what = || args.what.clone().ok_or_else(|| needs(action, if action == "add" { "URL" } else { "ID" }));
    match action {
        "list" => Ok(Question::Shops),
        "add" => {
            let address = what()?;
            let token = token(args.token_file.as_deref().ok_or_else(|| needs("add", "--token-file"))?)?;
            let form = ShopForm {
                address,
                token: token.expose_secret().to_owned(),
                name: args.name.clone().unwrap_or_default(),
                trust_network: args.trust_network,
            };
            Ok(Question::AddShop { form })
        }
        "rename" => Ok(Question::RenameShop { shop: what()?, name: args.name.clone().ok_or_else(|| needs("rename", "--name"))? }),
        "remove" => Ok(Question::RemoveShop { shop: what()? }),
        other => Err(bad("ACTION", &format!("{other} (list / add / rename / remove)"))),
    }
}

pub(crate) async fn shops(options: Result<StudioOptions, StudioError>, data: &Path, args: &ShopsArgs, terminal: Terminal) -> u8 {
    let answer = async {
        let question = question(args)?;
        match ask_owner(data, &question).await? {
            Some(answer) => Ok(answer),
            None => hold_and_answer(options?, question).await,
        }
    };
    match answer.await {
        Ok(Answer::Shops { shops }) if terminal.json => terminal.line(&json!({ "shops": shops })),
        Ok(Answer::Shops { shops }) => print(&shops, terminal),
        Ok(_) => return refuse(terminal, &StudioError::internal("answer")),
        Err(error) => return refuse(terminal, &error),
    }
    0
}

/// Nobody has the folder: it is taken for as long as this takes.
async fn hold_and_answer(options: StudioOptions, question: Question) -> Result<Answer, StudioError> {
    let studio = Studio::take(options).await?;
    let answer = studio.answer_shops(question).await;
    studio.close().await;
    match answer {
        Answer::Failed { code, params } => Err(params.iter().fold(StudioError::new(code), |e, (name, value)| e.with(name, value))),
        answer => Ok(answer),
    }
}

fn print(shops: &[ConnectionView], terminal: Terminal) {
    if shops.is_empty() {
        terminal.print("shops_empty", &[]);
    }
    for shop in shops {
        let state = match &shop.state {
            ShopStateView::Off => "shop_off",
            ShopStateView::Connecting => "shop_connecting",
            ShopStateView::Answers => "shop_answers",
            ShopStateView::Silent { code } if code == "unauthorized" => "shop_refuses",
            ShopStateView::Silent { .. } => "shop_silent",
        };
        let state = crate::messages::text(state, &[], terminal.language);
        let address = shop.address.as_deref().unwrap_or("–");
        terminal.print_raw(&format!("{}  {}  {}  {state}", shop.id, plain(&shop.name), plain(address)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(action: Option<&str>, what: Option<&str>, token_file: Option<&Path>, name: Option<&str>) -> ShopsArgs {
        ShopsArgs {
            action: action.map(str::to_owned),
            what: what.map(str::to_owned),
            token_file: token_file.map(Path::to_owned),
            name: name.map(str::to_owned),
            trust_network: true,
            json: false,
        }
    }

    #[test]
    fn words_become_questions_or_one_clear_refusal() {
        let dir = tempfile::tempdir().expect("dir");
        let (file, empty) = (dir.path().join("token"), dir.path().join("empty"));
        std::fs::write(&file, "secret\n").expect("write");
        std::fs::write(&empty, "\n").expect("write");
        assert_eq!(question(&args(None, None, None, None)), Ok(Question::Shops));
        let Ok(Question::AddShop { form }) = question(&args(Some("add"), Some("10.0.0.2:80"), Some(&file), None)) else {
            panic!("refused")
        };
        assert_eq!((form.address.as_str(), form.token.as_str(), form.trust_network), ("10.0.0.2:80", "secret", true));
        assert!(matches!(question(&args(Some("remove"), Some("x"), None, None)), Ok(Question::RemoveShop { shop }) if shop == "x"));
        assert!(matches!(question(&args(Some("rename"), Some("x"), None, Some("n"))), Ok(Question::RenameShop { .. })));
        for (action, what, token_file, wrong) in [
            ("add", None, Some(&file), "needs_option"),
            ("add", Some("u"), None, "needs_option"),
            ("add", Some("u"), Some(&empty), "token_file_unreadable"),
            ("add", Some("u"), Some(&dir.path().join("none")), "token_file_unreadable"),
            ("rename", Some("x"), None, "needs_option"),
            ("remove", None, None, "needs_option"),
            ("sell", None, None, "bad_value"),
        ] {
            let refused = question(&args(Some(action), what, token_file.map(|p| p.as_path()), None)).map_err(|e| e.code().to_owned());
            assert_eq!(refused.map(drop), Err(wrong.to_owned()), "{action}");
        }
    }
}
