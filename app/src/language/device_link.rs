//! The texts of signing in another device. A table of its own, outside [`super::Texts`], because only
//! lazily loaded pages use the texts, and a conversation's page must not carry them.

use super::Language;

/// The texts of signing in another device. The English table documents each field.
#[derive(Debug)]
pub struct DeviceLinkTexts {
    // The panel in the settings.
    pub sign_in_another: &'static str,
    pub help: &'static str,
    pub make_code: &'static str,
    pub making: &'static str,
    pub scan: &'static str,
    pub qr_code: &'static str,
    pub link: &'static str,
    pub valid: &'static str,
    pub valid_plain: &'static str,
    pub cancel: &'static str,
    pub signed_in: &'static str,
    pub signed_in_unknown: &'static str,
    pub ended: &'static str,
    pub another: &'static str,
    pub new_code: &'static str,

    // The page of a link.
    pub question: &'static str,
    pub explain: &'static str,
    pub sign_in_as: &'static str,
    pub sign_out_first: &'static str,
    pub already_here: &'static str,
    pub invalid_title: &'static str,
}

impl Language {
    /// The texts of signing in another device, in the language.
    pub const fn device_link(self) -> &'static DeviceLinkTexts {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::Arabic => &ARABIC,
        }
    }
}

static ENGLISH: DeviceLinkTexts = DeviceLinkTexts {
    sign_in_another: "Sign in another device",
    help: "You get a code that signs in another device of yours without your password. It works once, within five minutes. Don’t show it to anyone: whoever opens it is signed in as you.",
    make_code: "Show the code",
    making: "Making the code…",
    scan: "Scan this code with the camera of the other device, or open the link there:",
    qr_code: "QR code that signs in another device",
    link: "Link that signs in another device",
    valid: "Valid once, for five minutes. This page tells you when the other device is signed in.",
    valid_plain: "Valid once, for five minutes. Afterwards the other device is in the list of your devices.",
    cancel: "Cancel",
    signed_in: "Signed in: {}",
    signed_in_unknown: "The other device is signed in.",
    ended: "The code is no longer valid.",
    another: "Sign in one more device",
    new_code: "Make a new code",

    question: "Sign in as {} on this device?",
    explain: "The link is from a device on which this account is signed in. Use it only if that device is yours: what you write here belongs to this account.",
    sign_in_as: "Sign in as {}",
    sign_out_first: "This browser is signed in as {}. To sign in with the link, sign out here first, then open it again.",
    already_here: "You’re signed in as {} here already.",
    invalid_title: "This link doesn’t work",
};

static GERMAN: DeviceLinkTexts = DeviceLinkTexts {
    sign_in_another: "Weiteres Gerät anmelden",
    help: "Du bekommst einen Code, der ein weiteres Gerät von dir ohne Passwort anmeldet. Er gilt einmal, fünf Minuten lang. Zeige ihn niemandem: Wer ihn öffnet, ist als du angemeldet.",
    make_code: "Code anzeigen",
    making: "Code wird erstellt …",
    scan: "Scanne diesen Code mit der Kamera des anderen Geräts, oder öffne dort den Link:",
    qr_code: "QR-Code, der ein weiteres Gerät anmeldet",
    link: "Link, der ein weiteres Gerät anmeldet",
    valid: "Gilt einmal, fünf Minuten lang. Diese Seite zeigt, wenn das andere Gerät angemeldet ist.",
    valid_plain: "Gilt einmal, fünf Minuten lang. Danach steht das andere Gerät in der Liste deiner Geräte.",
    cancel: "Abbrechen",
    signed_in: "Angemeldet: {}",
    signed_in_unknown: "Das andere Gerät ist angemeldet.",
    ended: "Der Code gilt nicht mehr.",
    another: "Noch ein Gerät anmelden",
    new_code: "Neuen Code erstellen",

    question: "Auf diesem Gerät als {} anmelden?",
    explain: "Der Link stammt von einem Gerät, auf dem dieses Konto angemeldet ist. Benutze ihn nur, wenn es dein Gerät ist: Was du hier schreibst, gehört zu diesem Konto.",
    sign_in_as: "Als {} anmelden",
    sign_out_first: "In diesem Browser ist {} angemeldet. Um den Link zu benutzen, melde dich hier zuerst ab, und öffne ihn dann noch einmal.",
    already_here: "Du bist hier schon als {} angemeldet.",
    invalid_title: "Dieser Link gilt nicht",
};

static ARABIC: DeviceLinkTexts = DeviceLinkTexts {
    sign_in_another: "تسجيل الدخول على جهاز آخر",
    help: "تحصل على رمز يسجّل الدخول على جهاز آخر لك دون كلمة مرورك. يعمل مرة واحدة خلال خمس دقائق. لا تُرِه لأحد، فمن يفتحه يسجّل الدخول باسمك.",
    make_code: "عرض الرمز",
    making: "جارٍ إنشاء الرمز…",
    scan: "امسح هذا الرمز بكاميرا الجهاز الآخر، أو افتح الرابط هناك:",
    qr_code: "رمز QR لتسجيل الدخول على جهاز آخر",
    link: "رابط لتسجيل الدخول على جهاز آخر",
    valid: "صالح مرة واحدة لمدة خمس دقائق. تخبرك هذه الصفحة عند تسجيل الدخول على الجهاز الآخر.",
    valid_plain: "صالح مرة واحدة لمدة خمس دقائق. يظهر الجهاز الآخر بعدها في قائمة أجهزتك.",
    cancel: "إلغاء",
    signed_in: "تم تسجيل الدخول: {}",
    signed_in_unknown: "تم تسجيل الدخول على الجهاز الآخر.",
    ended: "لم يعد الرمز صالحًا.",
    another: "تسجيل الدخول على جهاز آخر أيضًا",
    new_code: "إنشاء رمز جديد",

    question: "هل تريد تسجيل الدخول باسم {} على هذا الجهاز؟",
    explain: "الرابط من جهاز مسجَّل الدخول بهذا الحساب. استخدمه فقط إذا كان ذلك الجهاز لك، فما تكتبه هنا يخص هذا الحساب.",
    sign_in_as: "تسجيل الدخول باسم {}",
    sign_out_first: "هذا المتصفح مسجَّل الدخول باسم {}. لاستخدام الرابط، سجّل الخروج هنا أولًا ثم افتحه مرة أخرى.",
    already_here: "أنت مسجَّل الدخول هنا باسم {} بالفعل.",
    invalid_title: "هذا الرابط لا يعمل",
};
