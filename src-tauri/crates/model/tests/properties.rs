//! Money and the state of an order against simpler models of both.

use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};
use stallcast_model::{AfterState, Currency, Fulfilment, Money, Order, OrderId, OrderStatus, Payment};

fn cases(cases: u32) -> Config {
    let kept = FileFailurePersistence::Direct("proptest-regressions/properties.txt");
    Config { cases, failure_persistence: Some(Box::new(kept)), ..Config::default() }
}

fn currency() -> impl Strategy<Value = Currency> {
    prop_oneof![Just(Currency::Cny), Just(Currency::Usd), Just(Currency::Eur), Just(Currency::Jpy)]
}

/// Mostly amounts of a shop, sometimes the edges.
fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![8 => -10_000_000_i64..10_000_000, 1 => any::<i64>(), 1 => prop::sample::select(vec![i64::MIN, i64::MAX, 0, 1, -1])]
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn sums_are_exact_or_refused(a in amount(), b in amount(), n in any::<u32>(), c in currency(), d in currency()) {
        let (x, y) = (Money::new(a, c), Money::new(b, d));
        let fits = |wide: i128| i64::try_from(wide).ok().map(|amount| Money::new(amount, c));
        let same = c == d;
        prop_assert_eq!(x.checked_add(y), if same { fits(i128::from(a) + i128::from(b)) } else { None });
        prop_assert_eq!(x.checked_sub(y), if same { fits(i128::from(a) - i128::from(b)) } else { None });
        prop_assert_eq!(x.checked_mul(n), fits(i128::from(a) * i128::from(n)));
    }

    #[test]
    fn what_is_shown_is_what_was_typed(units in 0..=i64::MAX, c in currency()) {
        let money = Money::new(units, c);
        let shown = money.to_string();
        let typed = shown.strip_prefix(c.sign()).expect("sign");
        prop_assert_eq!(Money::parse_major(typed, c), Ok(money), "{}", shown);
        prop_assert_eq!(Money::parse_major(&money.short(), c), Ok(money), "{}", money.short());
        // Every digit of the shown amount is a digit of the minor units.
        let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
        prop_assert_eq!(digits.parse::<i64>().expect("digits"), units);
    }

    #[test]
    fn nothing_typed_is_guessed_at(text in "[0-9.,¥+e９ -]{0,24}|\\PC{0,12}", c in currency()) {
        if let Ok(money) = Money::parse_major(&text, c) {
            // Only plain decimal numbers get this far, and their value is the one of the digits.
            let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
            let scale = 10_i128.pow(c.decimals());
            let fraction = if part.is_empty() { 0 } else { part.parse::<i128>().expect("digits") * scale / 10_i128.pow(u32::try_from(part.len()).expect("short")) };
            prop_assert_eq!(i128::from(money.amount), whole.parse::<i128>().expect("digits") * scale + fraction);
        }
    }
}

/// What happens to an order on its platform, in any order: platforms skip steps, take them back and invent words.
#[derive(Debug, Clone, Copy)]
enum Step {
    Pay,
    RefundSome,
    RefundAll,
    SendSome,
    SendAll,
    Arrive,
    /// A waybill was voided.
    Unsend,
    Complain,
    Settle,
    Cancel,
    /// A word of a newer platform, on one of the three axes.
    Strange(u8),
}

fn step() -> impl Strategy<Value = Step> {
    use Step as S;
    prop_oneof![
        3 => prop::sample::select(vec![S::Pay, S::SendSome, S::SendAll, S::Arrive, S::Unsend, S::Complain, S::Settle]),
        1 => prop::sample::select(vec![S::RefundSome, S::RefundAll, S::Cancel]),
        1 => (0..3_u8).prop_map(S::Strange),
    ]
}

fn placed() -> Order {
    let nothing = Money::new(0, Currency::Cny);
    Order {
        id: OrderId::new("o"),
        number: "1".to_owned(),
        buyer: String::new(),
        lines: Vec::new(),
        total: nothing,
        discount: nothing,
        payment: Payment::Awaiting,
        fulfilment: Fulfilment::Unshipped,
        after_sale: AfterState::None,
        shipments: Vec::new(),
        after_sales: Vec::new(),
        placed_at_ms: 0,
        version: 1,
        raw_status: String::new(),
        raw_json: String::new(),
    }
}

fn take(order: &mut Order, step: Step) {
    match step {
        Step::Pay => order.payment = Payment::Paid,
        Step::RefundSome => order.payment = Payment::PartlyRefunded,
        Step::RefundAll => order.payment = Payment::Refunded,
        Step::SendSome => order.fulfilment = Fulfilment::PartlyShipped,
        Step::SendAll => order.fulfilment = Fulfilment::Shipped,
        Step::Arrive => order.fulfilment = Fulfilment::Delivered,
        Step::Unsend => order.fulfilment = Fulfilment::Unshipped,
        Step::Complain => order.after_sale = AfterState::Requested,
        Step::Settle => order.after_sale = AfterState::Closed,
        Step::Cancel => order.after_sale = AfterState::Cancelled,
        Step::Strange(0) => order.payment = Payment::Unknown,
        Step::Strange(1) => order.fulfilment = Fulfilment::Unknown,
        Step::Strange(_) => order.after_sale = AfterState::Unknown,
    }
}

/// The model: what a person at the counter remembers, one note per question.
#[derive(Debug, Default)]
struct Notes {
    money: Option<&'static str>,
    parcel: Option<&'static str>,
    trouble: Option<&'static str>,
}

impl Notes {
    fn take(&mut self, step: Step) {
        match step {
            Step::Pay => self.money = Some("all here"),
            Step::RefundSome => self.money = Some("some back"),
            Step::RefundAll => self.money = Some("all back"),
            Step::SendSome => self.parcel = Some("some"),
            Step::SendAll => self.parcel = Some("all"),
            Step::Arrive => self.parcel = Some("there"),
            Step::Unsend => self.parcel = None,
            Step::Complain => self.trouble = Some("asks"),
            Step::Settle => self.trouble = Some("settled"),
            Step::Cancel => self.trouble = Some("cancelled"),
            Step::Strange(0) => self.money = Some("?"),
            Step::Strange(1) => self.parcel = Some("?"),
            Step::Strange(_) => self.trouble = Some("?"),
        }
    }

    fn word(&self) -> OrderStatus {
        let strange = [self.money, self.parcel, self.trouble].contains(&Some("?"));
        let first = [
            (self.trouble == Some("cancelled"), OrderStatus::Cancelled),
            (self.trouble == Some("asks"), OrderStatus::AfterSale),
            (self.money == Some("all back"), OrderStatus::Refunded),
            (strange, OrderStatus::Unknown),
            (self.money.is_none(), OrderStatus::AwaitingPayment),
            (self.parcel == Some("there"), OrderStatus::Delivered),
            (self.parcel == Some("all"), OrderStatus::Shipped),
            (self.parcel == Some("some"), OrderStatus::PartlyShipped),
        ];
        first.into_iter().find_map(|(holds, word)| holds.then_some(word)).unwrap_or(OrderStatus::ToShip)
    }
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn an_order_says_what_the_seller_must_do_next(steps in prop::collection::vec(step(), 0..24)) {
        let (mut order, mut notes) = (placed(), Notes::default());
        prop_assert_eq!(order.status(), OrderStatus::AwaitingPayment);
        for step in steps {
            take(&mut order, step);
            notes.take(step);
            prop_assert_eq!(order.status(), notes.word(), "after {:?}: {:?}", step, notes);
            // Goods leave only against money that is here, and never where anything is unclear.
            if matches!(order.status(), OrderStatus::ToShip | OrderStatus::PartlyShipped) {
                prop_assert!(matches!(order.payment, Payment::Paid | Payment::PartlyRefunded));
                prop_assert!(matches!(order.fulfilment, Fulfilment::Unshipped | Fulfilment::PartlyShipped));
                prop_assert!(matches!(order.after_sale, AfterState::None | AfterState::Closed));
            }
        }
    }
}
