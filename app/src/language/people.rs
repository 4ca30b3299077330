//! The texts of requests, blocks, mutes and reports. A table of its own, outside [`super::Texts`],
//! because only lazily loaded code uses it.

use super::Language;

/// The texts about people whom the user does not know or want to hear. The English table documents
/// each field.
#[derive(Debug)]
pub struct PeopleTexts {
    // Requests.
    pub requests_help: &'static str,
    pub no_requests: &'static str,
    pub wants_to_talk: &'static str,
    pub accept: &'static str,
    pub delete: &'static str,

    // Blocks.
    pub block: &'static str,
    pub unblock: &'static str,
    pub unblock_someone: &'static str,
    pub block_help: &'static str,
    pub is_blocked: &'static str,
    pub blocked: &'static str,
    pub blocked_help: &'static str,
    pub nobody_blocked: &'static str,
    pub blocked_since: &'static str,

    // Mutes.
    pub mute: &'static str,
    pub mute_help: &'static str,
    pub for_an_hour: &'static str,
    pub for_eight_hours: &'static str,
    pub for_a_week: &'static str,
    pub always: &'static str,
    pub unmute: &'static str,
    pub is_muted: &'static str,
    pub muted_until: &'static str,

    // Reports.
    pub report: &'static str,
    pub report_help: &'static str,
    pub choose_messages: &'static str,
    pub nothing_to_report: &'static str,
    pub reason: &'static str,
    pub reason_help: &'static str,
    pub send_report: &'static str,
    pub sending: &'static str,
    pub reported: &'static str,
}

impl Language {
    /// The texts about people in the language.
    pub const fn people(self) -> &'static PeopleTexts {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::Arabic => &ARABIC,
        }
    }
}

static ENGLISH: PeopleTexts = PeopleTexts {
    requests_help: "People you haven’t talked to yet. Until you answer, they see neither that you are online nor that you have read their message.",
    no_requests: "No requests.",
    wants_to_talk: "{} wants to talk to you. Until you answer, they don’t see that you have read this.",
    accept: "Accept",
    delete: "Delete",

    block: "Block",
    unblock: "Unblock",
    unblock_someone: "Unblock {}",
    block_help: "Their messages no longer reach you, and to them you look offline. They aren’t told.",
    is_blocked: "You have blocked {}.",
    blocked: "Blocked people",
    blocked_help: "Messages that they send while blocked stay hidden, even after you unblock them.",
    nobody_blocked: "You haven’t blocked anybody.",
    blocked_since: "Blocked {}",

    mute: "Mute",
    mute_help: "New messages arrive without a notification, a sound or a count. The other person isn’t told.",
    for_an_hour: "1 hour",
    for_eight_hours: "8 hours",
    for_a_week: "1 week",
    always: "Until I unmute",
    unmute: "Unmute",
    is_muted: "Muted until you unmute.",
    muted_until: "Muted until: {}",

    report: "Report",
    report_help: "The operator of this server gets the messages that you choose, and your reason. The person isn’t told.",
    choose_messages: "Choose 1 to 20 messages",
    nothing_to_report: "This person sent no recent messages.",
    reason: "Reason",
    reason_help: "What is wrong? At most 1,000 characters.",
    send_report: "Send report",
    sending: "Sending…",
    reported: "The report was sent",
};

static GERMAN: PeopleTexts = PeopleTexts {
    requests_help: "Von Personen, mit denen du noch nicht geschrieben hast. Bis du antwortest, sehen sie weder, ob du online bist, noch, ob du ihre Nachricht gelesen hast.",
    no_requests: "Keine Anfragen.",
    wants_to_talk: "{} möchte dir schreiben. Bis du antwortest, ist nicht zu sehen, dass du das gelesen hast.",
    accept: "Annehmen",
    delete: "Löschen",

    block: "Blockieren",
    unblock: "Blockierung aufheben",
    unblock_someone: "Blockierung von {} aufheben",
    block_help: "Die Nachrichten dieser Person erreichen dich nicht mehr, und für sie bist du offline. Sie erfährt nichts davon.",
    is_blocked: "Du hast {} blockiert.",
    blocked: "Blockierte Personen",
    blocked_help: "Was sie dir währenddessen schreiben, bleibt verborgen, auch nachdem du die Blockierung aufgehoben hast.",
    nobody_blocked: "Du hast niemanden blockiert.",
    blocked_since: "Blockiert {}",

    mute: "Stummschalten",
    mute_help: "Neue Nachrichten kommen dann ohne Benachrichtigung, ohne Ton und ohne Zähler an. Die Person erfährt nichts davon.",
    for_an_hour: "1 Stunde",
    for_eight_hours: "8 Stunden",
    for_a_week: "1 Woche",
    always: "Bis auf Weiteres",
    unmute: "Stummschaltung aufheben",
    is_muted: "Stumm, bis du die Stummschaltung aufhebst.",
    muted_until: "Stumm bis: {}",

    report: "Melden",
    report_help: "Wer diesen Server betreibt, bekommt die Nachrichten, die du auswählst, und deinen Grund. Die Person erfährt nichts davon.",
    choose_messages: "Wähle 1 bis 20 Nachrichten",
    nothing_to_report: "Von dieser Person gibt es keine neueren Nachrichten.",
    reason: "Grund",
    reason_help: "Was ist nicht in Ordnung? Höchstens 1.000 Zeichen.",
    send_report: "Meldung senden",
    sending: "Wird gesendet …",
    reported: "Die Meldung wurde gesendet",
};

static ARABIC: PeopleTexts = PeopleTexts {
    requests_help: "من أشخاص لم تتحدث معهم بعد. لا يرون أنك متصل ولا أنك قرأت رسائلهم إلى أن تجيب.",
    no_requests: "لا توجد طلبات.",
    wants_to_talk: "يريد {} التحدث معك. لن يظهر له أنك قرأت هذا إلى أن تجيب.",
    accept: "قبول",
    delete: "حذف",

    block: "حظر",
    unblock: "إلغاء الحظر",
    unblock_someone: "إلغاء حظر {}",
    block_help: "لن تصلك رسائل هذا الشخص، وستبدو له غير متصل. ولن يعلم بذلك.",
    is_blocked: "لقد حظرت {}.",
    blocked: "الأشخاص المحظورون",
    blocked_help: "ما يرسلونه في أثناء الحظر يبقى مخفيًا، حتى بعد إلغائه.",
    nobody_blocked: "لم تحظر أحدًا.",
    blocked_since: "محظور منذ {}",

    mute: "كتم",
    mute_help: "تصل الرسائل الجديدة عندها بلا إشعارات ولا صوت ولا عدّاد. ولن يعلم الشخص بذلك.",
    for_an_hour: "ساعة واحدة",
    for_eight_hours: "8 ساعات",
    for_a_week: "أسبوع واحد",
    always: "إلى أن ألغي الكتم",
    unmute: "إلغاء الكتم",
    is_muted: "مكتوم إلى أن تلغي الكتم.",
    muted_until: "مكتوم حتى: {}",

    report: "إبلاغ",
    report_help: "يتلقى مشغّل هذا الخادم الرسائل التي تختارها وسبب البلاغ. ولن يعلم الشخص بذلك.",
    choose_messages: "اختر من رسالة واحدة إلى 20 رسالة",
    nothing_to_report: "لا توجد رسائل حديثة من هذا الشخص.",
    reason: "السبب",
    reason_help: "ما المشكلة؟ 1000 حرف على الأكثر.",
    send_report: "إرسال البلاغ",
    sending: "جارٍ الإرسال…",
    reported: "أُرسل البلاغ",
};
