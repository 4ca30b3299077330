-- The words that people are found by, folded (see crates/protocol/src/words.rs): a range of words is "begins with".
create table person_words (
    word text not null,
    user_id blob not null references users (id),
    primary key (word, user_id)
) strict, without rowid;

create index person_words_by_user on person_words (user_id, word);

-- The display_key for which the words were stored. Null: they are not stored yet, and the start of the server does it.
alter table users add column words_for text;

create index users_without_words on users (id) where words_for is null;
