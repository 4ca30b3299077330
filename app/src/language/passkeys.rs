//! The texts of passkeys. A table of its own, outside [`super::Texts`], for the reason given in
//! [`super::two_step`].

use super::Language;

/// The texts of passkeys. The English table documents each field.
#[derive(Debug)]
pub struct PasskeyTexts {
    pub title: &'static str,
    pub help: &'static str,
    pub none: &'static str,
    pub added: &'static str,
    pub used: &'static str,
    pub unused: &'static str,

    // Adding, naming and removing.
    pub add: &'static str,
    pub waiting: &'static str,
    pub name: &'static str,
    pub name_help: &'static str,
    pub rename: &'static str,
    pub rename_one: &'static str,
    pub remove: &'static str,
    pub remove_one: &'static str,
    pub remove_help: &'static str,

    // Confirming a change of an account without a password.
    pub confirm_help: &'static str,
    pub no_password: &'static str,

    // Why passkeys do not work.
    pub needs_https: &'static str,
    pub needs_domain: &'static str,
    pub needs_localhost: &'static str,
    pub needs_browser: &'static str,
    pub cancelled: &'static str,
    pub exists: &'static str,
    pub failed: &'static str,

    // Signing in and up.
    pub sign_in: &'static str,
    pub sign_up: &'static str,
    pub sign_up_help: &'static str,
}

impl Language {
    /// The texts of passkeys in the language.
    pub const fn passkeys(self) -> &'static PasskeyTexts {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
            Self::Arabic => &ARABIC,
        }
    }
}

static ENGLISH: PasskeyTexts = PasskeyTexts {
    title: "Passkeys",
    help: "A passkey signs you in with the screen lock of your device or with a security key, without a password or code.",
    none: "You have no passkeys.",
    added: "Added {}",
    used: "last used {}",
    unused: "never used",

    add: "Add a passkey",
    waiting: "Waiting for your device…",
    name: "Name of the passkey",
    name_help: "So that you recognise it later, such as “Phone”. Optional.",
    rename: "Rename",
    rename_one: "Rename {}",
    remove: "Remove",
    remove_one: "Remove {}",
    remove_help: "The passkey stops working here. Delete it on your device as well.",

    confirm_help: "You confirm this with a passkey.",
    no_password: "Your account has no password. You can set one, and you confirm that with a passkey.",

    needs_https: "Passkeys need an encrypted connection (https), which this server doesn’t have.",
    needs_domain: "Passkeys need a domain name. The address of this server is a number.",
    needs_localhost: "Passkeys work on this machine if the address begins with “localhost”.",
    needs_browser: "This browser doesn’t support passkeys.",
    cancelled: "No passkey was used. Try again.",
    exists: "This device already has a passkey for your account.",
    failed: "Your browser couldn’t use a passkey here.",

    sign_in: "Sign in with a passkey",
    sign_up: "Create account with a passkey",
    sign_up_help: "You then need no password.",
};

static GERMAN: PasskeyTexts = PasskeyTexts {
    title: "Passkeys",
    help: "Mit einem Passkey meldest du dich mit der Bildschirmsperre deines Geräts oder einem Sicherheitsschlüssel an, ohne Passwort und Code.",
    none: "Du hast keine Passkeys.",
    added: "Hinzugefügt {}",
    used: "zuletzt benutzt {}",
    unused: "nie benutzt",

    add: "Passkey hinzufügen",
    waiting: "Warten auf dein Gerät …",
    name: "Name des Passkeys",
    name_help: "Damit du ihn später erkennst, zum Beispiel „Telefon“. Freiwillig.",
    rename: "Umbenennen",
    rename_one: "{} umbenennen",
    remove: "Entfernen",
    remove_one: "{} entfernen",
    remove_help: "Der Passkey funktioniert hier dann nicht mehr. Lösche ihn auch auf deinem Gerät.",

    confirm_help: "Das bestätigst du mit einem Passkey.",
    no_password: "Dein Konto hat kein Passwort. Du kannst eines festlegen und bestätigst das mit einem Passkey.",

    needs_https: "Passkeys brauchen eine verschlüsselte Verbindung (https), die dieser Server nicht hat.",
    needs_domain: "Passkeys brauchen einen Domainnamen. Die Adresse dieses Servers ist eine Nummer.",
    needs_localhost: "Passkeys funktionieren auf diesem Rechner, wenn die Adresse mit „localhost“ beginnt.",
    needs_browser: "Dieser Browser unterstützt keine Passkeys.",
    cancelled: "Es wurde kein Passkey benutzt. Versuche es noch einmal.",
    exists: "Dieses Gerät hat schon einen Passkey für dein Konto.",
    failed: "Dein Browser konnte hier keinen Passkey benutzen.",

    sign_in: "Mit einem Passkey anmelden",
    sign_up: "Konto mit einem Passkey erstellen",
    sign_up_help: "Du brauchst dann kein Passwort.",
};

static ARABIC: PasskeyTexts = PasskeyTexts {
    title: "مفاتيح المرور",
    help: "يُدخلك مفتاح المرور بقفل شاشة جهازك أو بمفتاح أمان، بدون كلمة مرور أو رمز.",
    none: "ليس لديك مفاتيح مرور.",
    added: "أُضيف {}",
    used: "آخر استخدام {}",
    unused: "لم يُستخدم قط",

    add: "إضافة مفتاح مرور",
    waiting: "بانتظار جهازك…",
    name: "اسم مفتاح المرور",
    name_help: "لتتعرّف عليه لاحقًا، مثل «الهاتف». اختياري.",
    rename: "إعادة التسمية",
    rename_one: "إعادة تسمية {}",
    remove: "حذف",
    remove_one: "حذف {}",
    remove_help: "يتوقف مفتاح المرور عن العمل هنا. احذفه من جهازك أيضًا.",

    confirm_help: "تؤكد ذلك بمفتاح مرور.",
    no_password: "ليس لحسابك كلمة مرور. يمكنك تعيين واحدة، وتؤكد ذلك بمفتاح مرور.",

    needs_https: "تحتاج مفاتيح المرور إلى اتصال مشفَّر (https)، وهذا الخادم لا يوفّره.",
    needs_domain: "تحتاج مفاتيح المرور إلى اسم نطاق، وعنوان هذا الخادم رقم.",
    needs_localhost: "تعمل مفاتيح المرور على هذا الجهاز إذا بدأ العنوان بـ «localhost».",
    needs_browser: "لا يدعم هذا المتصفح مفاتيح المرور.",
    cancelled: "لم يُستخدم أي مفتاح مرور. حاوِل مرة أخرى.",
    exists: "لدى هذا الجهاز مفتاح مرور لحسابك بالفعل.",
    failed: "تعذّر على متصفحك استخدام مفتاح مرور هنا.",

    sign_in: "تسجيل الدخول بمفتاح مرور",
    sign_up: "إنشاء حساب بمفتاح مرور",
    sign_up_help: "لن تحتاج عندها إلى كلمة مرور.",
};
