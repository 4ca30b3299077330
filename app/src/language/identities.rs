//! The texts of identities. A table of its own, outside [`super::Texts`], for the reason given in
//! [`super::two_step`].

use super::Language;

/// The texts of identities. The English table documents each field; `{}` is the provider's name, an
/// account there or a time.
#[derive(Debug)]
pub struct IdentityTexts {
    // The section of the settings.
    pub title: &'static str,
    pub help: &'static str,
    pub none: &'static str,
    pub linked: &'static str,
    pub link: &'static str,
    pub linking: &'static str,
    pub unlink: &'static str,
    pub unlink_one: &'static str,
    pub unlink_help: &'static str,

    // Confirming a change of an account without a password and without a passkey.
    pub confirm_help: &'static str,
    pub confirm: &'static str,
    pub confirmed: &'static str,

    // The pages around the provider.
    pub continue_to: &'static str,
    pub choose: &'static str,
    pub choose_help: &'static str,
    pub create: &'static str,
    pub code_title: &'static str,
    pub refused: &'static str,
    pub taken: &'static str,
    pub too_many: &'static str,
    pub unavailable: &'static str,
}

impl Language {
    /// The texts of identities in the language.
    pub const fn identities(self) -> &'static IdentityTexts {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::Arabic => &ARABIC,
        }
    }
}

static ENGLISH: IdentityTexts = IdentityTexts {
    title: "Sign-in with {}",
    help: "Link your account at {} to sign in with it here.",
    none: "No account is linked.",
    linked: "Linked {}",
    link: "Link an account",
    linking: "Opening…",
    unlink: "Unlink",
    unlink_one: "Unlink {}",
    unlink_help: "After that, you can’t sign in with this account.",

    confirm_help: "Confirm this at {}. A confirmation is valid for one change and for five minutes.",
    confirm: "Confirm at {}",
    confirmed: "You have confirmed the next change at {}.",

    continue_to: "Continue to {}",
    choose: "Choose your username",
    choose_help: "Your account at {} is new here. Others find you by your username, and you can’t change it later.",
    create: "Create account",
    code_title: "Enter your code",
    refused: "The sign-in through {} didn’t work. Start again.",
    taken: "That account at {} is linked to another account here.",
    too_many: "You have as many linked accounts as possible. Unlink one first.",
    unavailable: "{} doesn’t answer right now. Try again later, or sign in another way.",
};

static GERMAN: IdentityTexts = IdentityTexts {
    title: "Anmelden mit {}",
    help: "Verknüpfe dein Konto bei {}, um dich hier damit anzumelden.",
    none: "Noch kein Konto verknüpft.",
    linked: "Verknüpft {}",
    link: "Konto verknüpfen",
    linking: "Wird geöffnet …",
    unlink: "Trennen",
    unlink_one: "{} trennen",
    unlink_help: "Du kannst dich mit diesem Konto dann nicht mehr anmelden.",

    confirm_help: "Das bestätigst du bei {}. Eine Bestätigung gilt fünf Minuten lang für eine Änderung.",
    confirm: "Bei {} bestätigen",
    confirmed: "Du hast die nächste Änderung bei {} bestätigt.",

    continue_to: "Weiter zu {}",
    choose: "Wähle deinen Benutzernamen",
    choose_help: "Dein Konto bei {} ist hier neu. Andere finden dich über deinen Benutzernamen, und du kannst ihn später nicht ändern.",
    create: "Konto anlegen",
    code_title: "Gib deinen Code ein",
    refused: "Die Anmeldung über {} hat nicht funktioniert. Beginne noch einmal.",
    taken: "Dieses Konto bei {} ist mit einem anderen Konto hier verknüpft.",
    too_many: "Du hast so viele verknüpfte Konten wie möglich. Trenne zuerst eines.",
    unavailable: "{} antwortet gerade nicht. Versuche es später noch einmal oder melde dich anders an.",
};

static ARABIC: IdentityTexts = IdentityTexts {
    title: "تسجيل الدخول عبر {}",
    help: "اربط حسابك لدى {} لتسجّل الدخول به هنا.",
    none: "لا يوجد حساب مرتبط.",
    linked: "رُبط {}",
    link: "ربط حساب",
    linking: "جارٍ الفتح…",
    unlink: "إلغاء الربط",
    unlink_one: "إلغاء ربط {}",
    unlink_help: "لن تتمكن بعدها من تسجيل الدخول بذلك الحساب.",

    confirm_help: "تؤكد ذلك لدى {}. يصلح التأكيد الواحد لتغيير واحد لمدة خمس دقائق.",
    confirm: "التأكيد لدى {}",
    confirmed: "أكّدت التغيير التالي لدى {}.",

    continue_to: "المتابعة إلى {}",
    choose: "اختر اسم المستخدم",
    choose_help: "حسابك لدى {} جديد هنا. يجدك الآخرون باسم المستخدم، ولا يمكنك تغييره لاحقًا.",
    create: "إنشاء الحساب",
    code_title: "أدخِل الرمز",
    refused: "لم ينجح تسجيل الدخول عبر {}. ابدأ من جديد.",
    taken: "ذلك الحساب لدى {} مرتبط بحساب آخر هنا.",
    too_many: "لديك أكبر عدد ممكن من الحسابات المرتبطة. ألغِ ربط أحدها أولًا.",
    unavailable: "لا يستجيب {} حاليًا. حاوِل لاحقًا، أو سجّل الدخول بطريقة أخرى.",
};
