//! The texts of two-step sign-in. A table of its own, outside [`super::Texts`], because only lazily
//! loaded pages use the texts, and a conversation's page must not carry them.

use super::{Language, Plural};

/// The texts of two-step sign-in. The English table documents each field.
#[derive(Debug)]
pub struct TwoStepTexts {
    pub title: &'static str,
    pub help: &'static str,
    pub off: &'static str,
    pub set_up: &'static str,
    pub preparing: &'static str,

    // The set-up.
    pub connect: &'static str,
    pub scan: &'static str,
    pub qr_code: &'static str,
    pub open_app: &'static str,
    pub or_type: &'static str,
    pub copy_key: &'static str,
    pub code: &'static str,
    pub app_code_help: &'static str,
    pub turn_on: &'static str,
    pub checking: &'static str,

    // The recovery codes.
    pub save_codes: &'static str,
    pub save_codes_help: &'static str,
    pub codes_of: &'static str,
    pub save_file: &'static str,
    pub print: &'static str,
    pub saved_them: &'static str,

    // The section while two-step sign-in is on.
    pub on: &'static str,
    pub codes_left: Plural,
    pub new_codes: &'static str,
    pub new_codes_help: &'static str,
    pub create_codes: &'static str,
    pub turn_off: &'static str,
    pub turn_off_help: &'static str,

    // Signing in.
    pub use_recovery_code: &'static str,
    pub password_again: &'static str,
    pub back_to_settings: &'static str,
}

impl Language {
    /// The texts of two-step sign-in in the language.
    pub const fn two_step(self) -> &'static TwoStepTexts {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::Arabic => &ARABIC,
        }
    }
}

static ENGLISH: TwoStepTexts = TwoStepTexts {
    title: "Two-step sign-in",
    help: "Signing in then takes your password and a code from an app on your phone. A stolen password alone isn’t enough.",
    off: "Two-step sign-in is off.",
    set_up: "Set up two-step sign-in",
    preparing: "Preparing…",

    connect: "Connect your authenticator app",
    scan: "Scan this code with an authenticator app or a password manager:",
    qr_code: "QR code for your authenticator app",
    open_app: "Open in an authenticator app",
    or_type: "Or enter this key in the app:",
    copy_key: "Copy key",
    code: "Code",
    app_code_help: "The 6 digits that the app now shows for Duet.",
    turn_on: "Turn on two-step sign-in",
    checking: "Checking…",

    save_codes: "Save your recovery codes",
    save_codes_help: "If you lose your phone, a recovery code signs you in. Each code works once. Keep them somewhere safe: they are shown only now.",
    codes_of: "Recovery codes of {}",
    save_file: "Save as a file",
    print: "Print",
    saved_them: "I have saved them",

    on: "Two-step sign-in is on.",
    codes_left: Plural::of("{} of 10 recovery codes left", "{} of 10 recovery codes left"),
    new_codes: "New recovery codes",
    new_codes_help: "Your earlier recovery codes stop working.",
    create_codes: "Create new codes",
    turn_off: "Turn off",
    turn_off_help: "Signing in then takes your password only.",

    use_recovery_code: "Use a recovery code",
    password_again: "Enter your password again, and the code.",
    back_to_settings: "Back to settings",
};

static GERMAN: TwoStepTexts = TwoStepTexts {
    title: "Anmeldung in zwei Schritten",
    help: "Zum Anmelden brauchst du dann dein Passwort und einen Code aus einer App auf deinem Telefon. Ein gestohlenes Passwort allein reicht nicht.",
    off: "Die Anmeldung in zwei Schritten ist aus.",
    set_up: "Anmeldung in zwei Schritten einrichten",
    preparing: "Wird vorbereitet …",

    connect: "Authenticator-App verbinden",
    scan: "Scanne diesen Code mit einer Authenticator-App oder einem Passwortmanager:",
    qr_code: "QR-Code für deine Authenticator-App",
    open_app: "In einer Authenticator-App öffnen",
    or_type: "Oder gib diesen Schlüssel in der App ein:",
    copy_key: "Schlüssel kopieren",
    code: "Code",
    app_code_help: "Die 6 Ziffern, die die App jetzt für Duet anzeigt.",
    turn_on: "Anmeldung in zwei Schritten einschalten",
    checking: "Wird geprüft …",

    save_codes: "Wiederherstellungscodes speichern",
    save_codes_help: "Wenn du dein Telefon verlierst, meldest du dich mit einem Wiederherstellungscode an. Jeder Code gilt einmal. Bewahre sie sicher auf: Sie werden nur jetzt angezeigt.",
    codes_of: "Wiederherstellungscodes von {}",
    save_file: "Als Datei speichern",
    print: "Drucken",
    saved_them: "Ich habe sie gespeichert",

    on: "Die Anmeldung in zwei Schritten ist an.",
    codes_left: Plural::of(
        "Noch {} von 10 Wiederherstellungscodes",
        "Noch {} von 10 Wiederherstellungscodes",
    ),
    new_codes: "Neue Wiederherstellungscodes",
    new_codes_help: "Deine bisherigen Wiederherstellungscodes gelten dann nicht mehr.",
    create_codes: "Neue Codes erstellen",
    turn_off: "Ausschalten",
    turn_off_help: "Zum Anmelden brauchst du dann nur noch dein Passwort.",

    use_recovery_code: "Wiederherstellungscode benutzen",
    password_again: "Gib dein Passwort noch einmal ein, und den Code.",
    back_to_settings: "Zurück zu den Einstellungen",
};

static ARABIC: TwoStepTexts = TwoStepTexts {
    title: "تسجيل الدخول بخطوتين",
    help: "يتطلب تسجيل الدخول عندها كلمة مرورك ورمزًا من تطبيق على هاتفك، فلا تكفي كلمة مرور مسروقة وحدها.",
    off: "تسجيل الدخول بخطوتين غير مفعَّل.",
    set_up: "إعداد تسجيل الدخول بخطوتين",
    preparing: "جارٍ التحضير…",

    connect: "ربط تطبيق المصادقة",
    scan: "امسح هذا الرمز بتطبيق مصادقة أو بمدير كلمات مرور:",
    qr_code: "رمز QR لتطبيق المصادقة",
    open_app: "فتح في تطبيق مصادقة",
    or_type: "أو أدخِل هذا المفتاح في التطبيق:",
    copy_key: "نسخ المفتاح",
    code: "الرمز",
    app_code_help: "الأرقام الستة التي يعرضها التطبيق الآن لـ Duet.",
    turn_on: "تفعيل تسجيل الدخول بخطوتين",
    checking: "جارٍ التحقق…",

    save_codes: "احفظ رموز الاسترداد",
    save_codes_help: "إذا فقدت هاتفك، يمكنك تسجيل الدخول برمز استرداد. يعمل كل رمز مرة واحدة. احفظها في مكان آمن، فهي تُعرض الآن فقط.",
    codes_of: "رموز استرداد {}",
    save_file: "حفظ كملف",
    print: "طباعة",
    saved_them: "لقد حفظتها",

    on: "تسجيل الدخول بخطوتين مفعَّل.",
    codes_left: Plural {
        zero: "لم يبقَ أي رمز من رموز الاسترداد العشرة",
        one: "بقي رمز واحد من رموز الاسترداد العشرة",
        two: "بقي رمزان من رموز الاسترداد العشرة",
        few: "بقيت {} من رموز الاسترداد العشرة",
        many: "بقي {} من رموز الاسترداد العشرة",
        other: "بقي {} من رموز الاسترداد العشرة",
    },
    new_codes: "رموز استرداد جديدة",
    new_codes_help: "تتوقف رموز الاسترداد السابقة عن العمل.",
    create_codes: "إنشاء رموز جديدة",
    turn_off: "إيقاف",
    turn_off_help: "يتطلب تسجيل الدخول عندها كلمة مرورك فقط.",

    use_recovery_code: "استخدام رمز استرداد",
    password_again: "أدخِل كلمة مرورك مرة أخرى مع الرمز.",
    back_to_settings: "العودة إلى الإعدادات",
};
