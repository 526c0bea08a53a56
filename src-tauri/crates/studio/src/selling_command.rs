//! `price`, `stock`, `coupon`, `orders`: what the host's hands do, asked of the studio that owns the folder. The command ends
//! once the shop was read back, or says that it is still on its way.

use crate::bag_command::{ask, number, plain, refuse};
use crate::control::{Answer, Question};
use crate::error::StudioError;
use crate::output::Terminal;
use crate::selling_args::{CouponArgs, OrdersArgs, PriceArgs, StockArgs};
use crate::view::{ActionView, AfterSaleStateView, CouponForm, CouponView, LinePiecesView, OfferForm, OrderRowView};
use serde_json::json;
use std::path::Path;

fn bad(name: &str, detail: impl Into<String>) -> StudioError {
    StudioError::new("bad_value").with("name", name).with("detail", detail.into())
}

fn needs(option: &str, needed: &str) -> StudioError {
    StudioError::new("needs_option").with("option", option).with("needed", needed)
}

fn price_question(args: &PriceArgs) -> Result<Question, StudioError> {
    let form = OfferForm { number: number(&args.number)?, sku_id: args.sku.clone(), price: Some(args.price.clone()), stock_by: 0 };
    if args.price.trim().is_empty() {
        return Err(StudioError::invalid("price", "empty"));
    }
    Ok(Question::ChangeOffer { form })
}

fn stock_question(args: &StockArgs) -> Result<Question, StudioError> {
    // Without a sign nobody knows whether it is meant as a sum.
    let signed = args.by.starts_with(['+', '-']);
    let by: Option<i32> = args.by.parse().ok().filter(|n| signed && *n != 0);
    let by = by.ok_or_else(|| bad("+N|-N", format!("{} (+5 / -3)", args.by)))?;
    Ok(Question::ChangeOffer { form: OfferForm { number: number(&args.number)?, sku_id: args.sku.clone(), price: None, stock_by: by } })
}

fn coupon_question(args: &CouponArgs) -> Result<Question, StudioError> {
    let (Some(action), Some(what)) = (&args.action, &args.what) else { return Ok(Question::Coupons) };
    match action.as_str() {
        "issue" => {
            let quantity = args.quantity.parse().map_err(|_| bad("--quantity", format!("{} (1–100000)", args.quantity)))?;
            let valid_s = u32::try_from(crate::args::duration_s(&args.for_)?).map_err(|_| bad("--for", args.for_.clone()))?;
            let threshold = args.from.clone().unwrap_or_default();
            let form = CouponForm { discount: what.clone(), threshold, quantity, valid_s, connection_id: args.shop.clone() };
            Ok(Question::IssueCoupon { form })
        }
        "end" => Ok(Question::EndCoupon { coupon: what.clone() }),
        other => Err(bad("ACTION", format!("{other} (issue / end)"))),
    }
}

/// `1x2`: two pieces of the first line.
fn pieces(text: &str) -> Result<LinePiecesView, StudioError> {
    let read = text.split_once(['x', 'X', '×']).and_then(|(line, quantity)| {
        let line: u32 = line.parse().ok().filter(|n| (1..=1_000).contains(n))?;
        let quantity: u32 = quantity.parse().ok().filter(|n| (1..=100_000).contains(n))?;
        Some(LinePiecesView { line: line - 1, quantity })
    });
    read.ok_or_else(|| bad("--line", format!("{text} (1x2)")))
}

fn orders_question(args: &OrdersArgs) -> Result<Question, StudioError> {
    let (Some(action), Some(order)) = (&args.action, &args.order) else { return Ok(Question::Orders) };
    let (order, shop) = (order.clone(), args.shop.clone());
    match action.as_str() {
        "ship" => {
            let carrier = args.carrier.clone().ok_or_else(|| needs("ship", "--carrier"))?;
            let tracking = args.tracking.clone().ok_or_else(|| needs("ship", "--tracking"))?;
            let lines = args.line.iter().map(|text| pieces(text)).collect::<Result<_, _>>()?;
            Ok(Question::Ship { order, carrier, tracking, lines, shop })
        }
        "agree" => Ok(Question::AnswerAfterSale { order, refuse: None, shop }),
        "refuse" => {
            let reason = args.reason.clone().ok_or_else(|| needs("refuse", "--reason"))?;
            Ok(Question::AnswerAfterSale { order, refuse: Some(reason), shop })
        }
        other => Err(bad("ACTION", format!("{other} (ship / agree / refuse)"))),
    }
}

pub(crate) async fn price(data: &Path, args: &PriceArgs, terminal: Terminal) -> u8 {
    tell(ask(data, price_question(args)).await, terminal)
}

pub(crate) async fn stock(data: &Path, args: &StockArgs, terminal: Terminal) -> u8 {
    tell(ask(data, stock_question(args)).await, terminal)
}

pub(crate) async fn coupon(data: &Path, args: &CouponArgs, terminal: Terminal) -> u8 {
    tell(ask(data, coupon_question(args)).await, terminal)
}

pub(crate) async fn orders(data: &Path, args: &OrdersArgs, terminal: Terminal) -> u8 {
    tell(ask(data, orders_question(args)).await, terminal)
}

fn tell(answer: Result<Answer, StudioError>, terminal: Terminal) -> u8 {
    match answer {
        Ok(Answer::Coupons { coupons }) if terminal.json => terminal.line(&json!({ "coupons": coupons })),
        Ok(Answer::Coupons { coupons }) => print_coupons(&coupons, terminal),
        Ok(Answer::Orders { orders }) if terminal.json => terminal.line(&json!({ "orders": orders })),
        Ok(Answer::Orders { orders }) => print_orders(&orders, terminal),
        Ok(Answer::Settled { id, action: ActionView::Confirmed { at_ms } }) if terminal.json => {
            terminal.line(&json!({ "state": "confirmed", "at_ms": at_ms, "id": id }));
        }
        Ok(Answer::Settled { action: ActionView::Confirmed { .. }, .. }) => terminal.print("action_confirmed", &[]),
        Ok(Answer::Settled { action: ActionView::Failed { code, params, .. }, .. }) => {
            return refuse(terminal, &params.iter().fold(StudioError::new(code), |e, (name, value)| e.with(name, value)));
        }
        // It goes on without this command: the studio tells how it ends.
        Ok(Answer::Settled { .. }) => return refuse(terminal, &StudioError::new("action_pending")),
        Ok(_) => return refuse(terminal, &StudioError::internal("answer")),
        Err(error) => return refuse(terminal, &error),
    }
    0
}

fn print_coupons(coupons: &[CouponView], terminal: Terminal) {
    if coupons.is_empty() {
        terminal.print("coupons_empty", &[]);
    }
    for coupon in coupons {
        let state = serde_json::to_value(coupon.state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let state = crate::messages::text(&format!("coupon_{state}"), &[], terminal.language);
        let params = [
            ("id", coupon.id.clone()),
            ("discount", coupon.discount.text.clone()),
            ("threshold", coupon.threshold.text.clone()),
            ("claimed", coupon.claimed.to_string()),
            ("quantity", coupon.quantity.to_string()),
            ("state", state),
        ];
        terminal.print("coupon_line", &params.each_ref().map(|(name, value)| (*name, value.as_str())));
    }
}

fn print_orders(orders: &[OrderRowView], terminal: Terminal) {
    if orders.is_empty() {
        terminal.print("orders_empty", &[]);
    }
    let of_several = orders.iter().any(|order| order.connection_id != orders[0].connection_id);
    for order in orders {
        let state = serde_json::to_value(order.status).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let state = crate::messages::text(&format!("order_{state}"), &[], terminal.language);
        let shop = if of_several { format!("  {}", plain(&order.connection)) } else { String::new() };
        terminal.print_raw(&format!("{}  {}  {}  {state}{shop}", plain(&order.number), plain(&order.buyer), order.total.text));
        for (at, line) in (1..).zip(&order.lines) {
            let left = line.left.map_or_else(String::new, |left| format!("  ({left})"));
            terminal.print_raw(&format!("  {at}  {} ×{}{left}", plain(&line.title), line.quantity));
        }
        for parcel in &order.parcels {
            terminal.print_raw(&format!("  → {} {}", plain(&parcel.carrier), plain(&parcel.tracking)));
        }
        for asked in order.after_sales.iter().filter(|a| a.state == AfterSaleStateView::Requested) {
            terminal.print("after_sale_line", &[("amount", &asked.amount.text), ("reason", &plain(&asked.reason))]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(result: Result<T, StudioError>) -> Option<String> {
        result.err().map(|e| e.code().to_owned())
    }

    #[test]
    fn prices_and_pieces_are_asked_for_as_typed() {
        let price = |number: &str, price: &str| {
            price_question(&PriceArgs { number: number.to_owned(), price: price.to_owned(), sku: None, json: false })
        };
        let Ok(Question::ChangeOffer { form }) = price("3", "25.80") else { panic!("refused") };
        assert_eq!((form.number, form.price.as_deref(), form.stock_by), (3, Some("25.80"), 0));
        assert_eq!((code(price("0", "1")), code(price("3", " "))), (Some("bad_value".to_owned()), Some("invalid".to_owned())));
        let stock =
            |by: &str| stock_question(&StockArgs { number: "3".to_owned(), by: by.to_owned(), sku: Some("s".to_owned()), json: false });
        let Ok(Question::ChangeOffer { form }) = stock("-3") else { panic!("refused") };
        assert_eq!((form.price, form.stock_by, form.sku_id.as_deref()), (None, -3, Some("s")));
        assert!(stock("+5").is_ok());
        for by in ["5", "0", "+0", "-", "+x", "99999999999"] {
            assert_eq!(code(stock(by)).as_deref(), Some("bad_value"), "{by}");
        }
    }

    #[test]
    fn coupons_have_terms_or_an_id() {
        let args = |action: Option<&str>, what: &str, quantity: &str, time: &str| CouponArgs {
            action: action.map(str::to_owned),
            what: action.map(|_| what.to_owned()),
            from: Some("199".to_owned()),
            quantity: quantity.to_owned(),
            for_: time.to_owned(),
            shop: None,
            json: false,
        };
        assert!(matches!(coupon_question(&args(None, "", "50", "3m")), Ok(Question::Coupons)));
        let Ok(Question::IssueCoupon { form }) = coupon_question(&args(Some("issue"), "30", "20", "90s")) else { panic!("refused") };
        assert_eq!((form.discount.as_str(), form.threshold.as_str(), form.quantity, form.valid_s), ("30", "199", 20, 90));
        assert!(matches!(coupon_question(&args(Some("end"), "c-1", "50", "3m")), Ok(Question::EndCoupon { coupon }) if coupon == "c-1"));
        for (action, quantity, time, wrong) in
            [("issue", "many", "3m", "bad_value"), ("issue", "5", "soon", "bad_duration"), ("give", "5", "3m", "bad_value")]
        {
            assert_eq!(code(coupon_question(&args(Some(action), "30", quantity, time))).as_deref(), Some(wrong));
        }
    }

    #[test]
    fn orders_are_shipped_and_answered_with_what_that_needs() {
        let args = |action: &str, carrier: Option<&str>, lines: &[&str], reason: Option<&str>| OrdersArgs {
            action: Some(action.to_owned()),
            order: Some("1000001".to_owned()),
            carrier: carrier.map(str::to_owned),
            tracking: carrier.map(|_| "SF1".to_owned()),
            line: lines.iter().map(|l| (*l).to_owned()).collect(),
            reason: reason.map(str::to_owned),
            shop: None,
            json: false,
        };
        let Ok(Question::Ship { lines, .. }) = orders_question(&args("ship", Some("顺丰"), &["1x2", "3×1"], None)) else {
            panic!("refused")
        };
        assert_eq!(lines, [LinePiecesView { line: 0, quantity: 2 }, LinePiecesView { line: 2, quantity: 1 }]);
        assert!(matches!(orders_question(&args("agree", None, &[], None)), Ok(Question::AnswerAfterSale { refuse: None, .. })));
        assert!(matches!(orders_question(&args("refuse", None, &[], Some("x"))), Ok(Question::AnswerAfterSale { refuse: Some(_), .. })));
        for (action, carrier, lines, wrong) in [
            ("ship", None, vec![], "needs_option"),
            ("refuse", None, vec![], "needs_option"),
            ("pack", None, vec![], "bad_value"),
            ("ship", Some("SF"), vec!["0x1"], "bad_value"),
            ("ship", Some("SF"), vec!["1x0"], "bad_value"),
            ("ship", Some("SF"), vec!["2"], "bad_value"),
        ] {
            assert_eq!(code(orders_question(&args(action, carrier, &lines, None))).as_deref(), Some(wrong), "{action} {lines:?}");
        }
    }
}
