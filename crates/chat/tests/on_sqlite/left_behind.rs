//! What a deletion leaves in the files of the store: nothing of what was deleted.

use crate::support::{PASSWORD, SOMEWHERE, World};

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|part| part == wanted)
}

/// Names are also stored folded and in words.
const TEXTS: [&str; 8] = [
    "zephyrine_quill",
    "Zephyrine",
    "zephyrine",
    "Quillfeather",
    "quillfeather",
    "Marigoldstone",
    "marigoldstone",
    "The heron stands in the reeds",
];

#[tokio::test]
async fn a_deleted_account_leaves_nothing_in_the_files() {
    let world = World::new().await;
    let (chat, home) = (&world.chat, &world.home);
    let alice = world.person("zephyrine_quill").await;
    let bob = world.person("bob").await;
    let conversation = world.open(&alice, &bob).await;
    for name in ["Zephyrine Quillfeather", "Zephyrine Marigoldstone"] {
        chat.set_display_name(&alice, name).await.expect("renamed");
    }
    chat.sign_in("zephyrine_quill", PASSWORD, SOMEWHERE).await.expect("signed in");
    chat.create_invitation(alice.caller()).await.expect("an invitation");
    for n in 0..200 {
        world
            .send(alice.caller(), conversation, &format!("The heron stands in the reeds {n}"))
            .await;
    }
    let id = alice.user.id.0.simple();
    let secrets = home.blobs(&format!(
        "select cast(password_hash as blob) from users where id = x'{id}' \
         union all select token_hash from sessions where user_id = x'{id}' \
         union all select token_hash from invitations where inviter_id = x'{id}'"
    ));
    assert_eq!(secrets.len(), 4);
    let texts = TEXTS.iter().map(|text| text.as_bytes().to_vec());
    let deleted: Vec<Vec<u8>> = texts.chain(secrets).collect();
    let found = |bytes: &[u8]| {
        let found = deleted.iter().filter(|wanted| contains(bytes, wanted));
        found.map(|wanted| String::from_utf8_lossy(wanted).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(&home.bytes()).len(), deleted.len(), "all of it is in the files");
    // The messages stay for Bob, until his account is deleted too.
    chat.delete_account(&alice, PASSWORD, SOMEWHERE).await.expect("deleted");
    assert_eq!(found(&home.bytes()), ["The heron stands in the reeds"]);
    chat.delete_account(&bob, PASSWORD, SOMEWHERE).await.expect("deleted");
    assert_eq!(found(&home.bytes()), Vec::<String>::new());
    chat.close().await;
    assert_eq!(found(&home.bytes()), Vec::<String>::new());
    assert_eq!(home.number("select count(*) from messages"), 0);
}
