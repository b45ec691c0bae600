"""The catalogue of bad input: what is sent or happens, what becomes of it, and the tests.

A row is ``number | what | what becomes of it | tests``. A test is ``file::name`` below ``tests``,
without ``test_``; a row with cases in ``tests/hostile/test_catalogue.py`` has these beside. A row
whose tests begin with ``open:`` says why there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

TOPICS = {
    1: "Signature and algorithm",
    37: "Time and replay",
    50: "Body and HTTP",
    76: "What an event holds",
    89: "Handlers and workers",
    101: "Database and broker",
    110: "For the people who run it",
}

_ROWS = """
1 | no signature | 401 `signature_missing` | web/log_bound::refusals_are_logged_at_a_bounded_rate_and_all_signalled, hostile/catalogue_senders::changed_proof_is_refused_and_leaves_nothing
2 | an empty signature, or one of blanks | 401 | hostile/catalogue_senders::changed_proof_is_refused_and_leaves_nothing
3 | an id, a time or a signature that comes twice | 401, or 400 where a time or a header of 8x8 is meant | providers/eight_by_eight_receiving::header_sent_twice_is_refused, hostile/catalogue_senders::changed_proof_is_refused_and_leaves_nothing
4 | a header with `_` in place of `-` | never taken for it; the server decides whether it arrives at all | web/hostile_requests::underscores_in_a_header_are_left_to_the_server, acceptance/nginx::header_with_underscores_is_not_the_one_with_hyphens
5 | letters beyond ASCII in a signature | 401 | signatures/forgeries::fuzzed_headers_raise_nothing_else_and_prove_nothing, hostile/catalogue_senders::changed_proof_is_refused_and_leaves_nothing
6 | a signature cut to any length | 401 | signatures/forgeries::every_truncation_is_refused, providers/eight_by_eight_signature::no_truncated_signature_is_accepted, hostile/catalogue_senders::changed_proof_is_refused_and_leaves_nothing
7 | a right signature with something behind it | 401 | providers/eight_by_eight_signature::nothing_may_be_behind_a_signature, hostile/catalogue_senders::changed_proof_is_refused_and_leaves_nothing
8 | hexadecimal in upper case | 401: one spelling counts | hostile/catalogue_senders::changed_proof_is_refused_and_leaves_nothing
9 | base64 with junk, without padding, in the other alphabet, with loose last bits | 401 | signatures/base64url::every_value_has_one_spelling, providers/eight_by_eight_signature::signature_has_one_spelling, hostile/catalogue_senders::changed_proof_is_refused_and_leaves_nothing
10 | blanks in hexadecimal | 401 | hostile/catalogue_senders::changed_proof_is_refused_and_leaves_nothing
11 | 10,000 signatures in one header | 400: 16 are looked at | signatures/forgeries::one_of_several_signatures_by_one_of_several_secrets_is_enough, hostile/catalogue_senders::changed_proof_is_refused_and_leaves_nothing
12 | garbage beside a right signature | 200 |
13 | a version of signature that nobody knows | 401 | signatures/forgeries::unknown_version_alone_proves_nothing
14 | SHA-1 where SHA-256 is configured | 401 |
15 | `alg: none`, however it is spelt | 401 or 400: a header chooses nothing | providers/eight_by_eight_signature::header_chooses_nothing, hostile/catalogue_tokens::forged_header_of_a_token_is_refused
16 | an HMAC with the public key as its secret | 401: a key has one algorithm | providers/eight_by_eight_signature::header_chooses_nothing, signatures/vectors_jose::jws_of_another_kind_is_none_of_8x8, hostile/catalogue_tokens::forged_header_of_a_token_is_refused
17 | ECDSA signatures in the wrong form, of zeros, of other lengths | as Project Wycheproof says | signatures/wycheproof::every_signature_is_judged_as_it_should_be, signatures/vectors_jose::key_of_another_curve_is_refused, hostile/catalogue_tokens::forged_header_of_a_token_is_refused
18 | Ed25519 signatures with a large S, small keys | as Project Wycheproof says | signatures/wycheproof::every_signature_is_judged_as_it_should_be
19 | a weak RSA key | refused at the start | signatures/rsa_key::what_is_no_fitting_key_says_why, signatures/forgeries::weak_or_wrong_key_is_refused
20 | `crit` that is unknown, empty or twice; `b64` without it | 401 or 400 | providers/eight_by_eight_signature::header_must_say_everything, hostile/catalogue_tokens::forged_header_of_a_token_is_refused
21 | a detached token with a payload, or with two or four dots | 400 | providers/eight_by_eight_signature::what_is_no_token_is_malformed, providers/eight_by_eight_signature::payload_may_not_be_attached, hostile/catalogue_tokens::token_of_another_shape_is_refused
22 | an unencoded payload in the token itself | 400 | providers/eight_by_eight_signature::payload_may_not_be_attached, hostile/catalogue_tokens::token_of_another_shape_is_refused, hostile/catalogue_tokens::body_in_the_token_proves_no_other
23 | a key twice in the header of a token | 400 | providers/eight_by_eight_signature::what_is_no_token_is_malformed, hostile/catalogue_tokens::token_of_another_shape_is_refused
24 | a key id that is a path, SQL or very long | 401: it gets into no URL | keys/keys::id_that_is_none_never_gets_into_a_url, hostile/catalogue_tokens::forged_header_of_a_token_is_refused
25 | a key, or the URL of one, in the token's header or the body | never looked at | providers/eight_by_eight_signature::keys_in_the_header_are_not_looked_at, hostile/catalogue_tokens::forged_header_of_a_token_is_refused
26 | a key server that redirects, or whose answer is too long or too slow | no key: only pinned hosts over HTTPS are asked | keys/keys::redirect_is_not_followed, keys/keys::request_waits_no_longer_than_it_may
27 | keys of another kind, of another id, for another use | dropped; the others serve | keys/keys::answer_of_no_use_is_no_key_and_no_stranger, keys/kept_keys::kept_key_that_cannot_be_used_is_passed_over
28 | a flood of invented key ids | bounded look-ups; the vendor's first delivery passes within 2 s | keys/keys::forged_ids_of_one_address_make_no_flood, keys/key_flood::vendor_is_heard_while_a_stranger_forges_key_ids
29 | a key server that is down | known keys serve for a while | keys/keys::old_key_is_good_while_the_server_is_down_and_not_for_ever
30 | a certificate by URL, on a host that looks like the right one | open: no scheme takes a certificate from a URL
31 | a key server with an expired certificate, or that of another host | no key, 503 | keys/keys::certificate_of_nobody_is_down, keys/keys::certificate_of_another_host_is_down
32 | another body with the checksum that is signed (8x8) | a conflict, kept and never handled | providers/eight_by_eight_receiving::forged_body_with_replayed_headers_is_a_conflict_and_never_handled
33 | the secret or key of another endpoint | 401 | providers/eight_by_eight_signature::key_that_fits_is_named, hostile/catalogue_senders::secret_of_another_endpoint_is_refused, hostile/catalogue_tokens::forged_header_of_a_token_is_refused
34 | an empty or short secret, one with line breaks, blanks, quotes or its prefix twice | refused at the start; what some sender may have for a secret, as a short text or one in quotes, is a warning | settings/settings::callable_without_usable_secrets_verifies_nothing, settings/settings::secret_that_can_be_guessed_is_a_warning, hostile/catalogue_settings::secret_that_is_none_stops_the_start, hostile/catalogue_settings::secret_that_is_hardly_one_is_said, hostile/catalogue_settings::prefix_of_a_secret_that_is_there_twice_is_refused
35 | a scheme that nobody knows; nothing to verify with | refused at the start | settings/settings::nothing_starts_without_a_proof_by_accident
36 | secrets guessed by the time of an answer | all comparisons are `hmac.compare_digest`, of texts of one length | signatures/shared_secret::what_does_not_fit_is_refused, hostile/catalogue_operators::wrong_proof_takes_the_same_steps_wherever_it_is_wrong, hostile/catalogue_operators::no_secret_is_compared_letter_by_letter
37 | a time at the edge of the tolerance, before and ahead | as documented, the edge included | signatures/forgeries::tolerance_holds_both_ways_and_is_inclusive, hostile/catalogue_repeats::delivery_beyond_its_tolerance_is_refused
38 | a time that is a fraction, has a sign, `_`, blanks or other digits | 400 |
39 | a time that is negative, 0 or of 5,000 digits | 400 or 401 |
40 | milliseconds where seconds are meant | 401 `timestamp_in_future` |
41 | a time that is no number | 400 |
42 | a leap second, a missing zone, a day that is none | 400 |
43 | no time where one is signed | 401 or 400 |
44 | a delivery that is sent again while its signature holds | 200, a duplicate, not handled again | senders/identity::delivery_that_is_sent_again_makes_no_second_event, hostile/catalogue_repeats::delivery_within_its_tolerance_is_a_duplicate
45 | a delivery that is sent again later | 401 `timestamp_expired` | hostile/catalogue_repeats::delivery_beyond_its_tolerance_is_refused
46 | a replay under another id, where the id is signed | 401 | senders/senders::id_beside_the_signed_one_is_refused
47 | a replay where no time is signed | a duplicate for as long as ids are kept | senders/identity::signature_makes_no_second_event_as_long_as_it_is_accepted, hostile/catalogue_repeats::delivery_without_a_signed_time_is_a_duplicate_as_long_as_ids_are_kept
48 | a token of Mailgun around another body | a conflict, kept and never handled | senders/identity::token_of_mailgun_is_one_event_whatever_is_put_around_it, hostile/catalogue_repeats::token_of_mailgun_serves_once
49 | a clock that jumps | nothing lost, nothing twice | acceptance/lease::clock_that_jumps_between_steps_loses_and_doubles_nothing
50 | a declared length over the limit | 413 before a byte is read | web/hostile_requests::declared_length_over_the_limit_is_413_before_a_byte_is_read
51 | more than the limit in chunks | 413 one byte beyond it | web/hostile_requests::chunked_body_over_the_limit_is_413_and_read_no_further, acceptance/gunicorn::chunked_body_over_the_limit_is_413_and_not_cut
52 | a body of exactly the limit | taken | web/answers::body_at_the_limit_is_taken
53 | neither a length nor chunks | an empty body, which proves nothing | web/hostile_requests::body_without_a_length_is_none_and_proves_nothing_where_it_is_signed
54 | a body that ends too early | 400, nothing kept | web/hostile_requests::whatever_the_stream_raises_is_400_in_json, acceptance/nginx::cut_body_never_reaches_the_application
55 | a client that sends a byte a second | the worker survives; others are heard where the server has threads | hostile/slow::body_that_comes_slowly_is_given_up_before_it_ends_a_sync_worker, hostile/slow::client_that_sends_slowly_holds_up_others_under_a_sync_worker_only
56 | two lengths, a length and chunks, a length that is no number | refused, by the server or with 400 | hostile/raw_sockets::hostile_request_is_kept_whole_or_refused, web/hostile_requests::content_length_that_is_no_number_is_400
57 | a header with a NUL, a lone CR or a folded line | refused by the server | hostile/raw_sockets::hostile_request_is_kept_whole_or_refused
58 | a very long header, very many headers | refused by the server | hostile/raw_sockets::hostile_request_is_kept_whole_or_refused
59 | a compressed body | verified as it is and never unpacked: kept, not understood |
60 | an encoding that nobody knows | the header is not looked at |
61 | a content type that is missing or lies | the settings choose how a body is read, and no header |
62 | an application that reads a form first | the bytes are still read, or 400; never an empty body | web/read_before::body_that_the_application_has_read_before_is_still_read, web/read_before::body_that_the_application_has_consumed_is_400_rather_than_lost
63 | a form of very many parts | not taken apart | web/hostile_requests::form_of_many_parts_is_not_taken_apart_by_its_content_type
64 | 100,000 levels of JSON | kept, not understood | core/body::hundred_levels_are_read_whatever_lies_in_them
65 | 5,000 digits, 1e400, NaN, Infinity | kept, not understood |
66 | a key twice | kept, not understood | web/answers::key_that_comes_twice_is_a_problem_and_loses_nothing
67 | a byte order mark; UTF-16, UTF-32 | the mark is passed over; the others are kept, not understood |
68 | bytes that are no UTF-8 | kept, not understood |
69 | half a surrogate pair | read and kept as bytes |
70 | a NUL in a text | read and kept as bytes | inbox/contract::any_text_of_a_payload_can_be_stored
71 | nothing, null, a text, a number, a list | kept, not understood | web/answers::proven_sender_is_never_refused
72 | a million keys, keys that collide | at most 1 ms and 1 MiB for each 256 KiB before the proof | receiving/cost::stranger_costs_a_few_hashes_and_a_megabyte
73 | another method | 405 in JSON; HEAD is an empty 200 | web/hostile_requests::every_other_method_is_405_in_json, web/answers::probe_with_head_hears_an_empty_200
74 | a path with `..`, `%2f`, `//` or 10 KB | 404 in JSON, never a redirect | web/hostile_requests::path_of_no_endpoint_is_404_in_json_and_redirects_nowhere
75 | a challenge that is not proven, or too long | refused; a proven one is echoed as plain text | web/hostile_requests::challenge_that_is_none_is_refused_in_json, web/hostile_requests::challenge_is_answered_as_plain_text, senders/senders::challenge_of_slack_is_echoed_if_it_is_a_short_word, hostile/catalogue_operators::token_of_a_challenge_that_cannot_be_had_is_said_in_the_log
76 | an id that is missing, empty, a number, a list | an id is derived from the content |
77 | an id of 500,000 characters | shortened by its hash, and unique |
78 | an id with line breaks, marks, emoji, half a surrogate pair | told apart byte for byte, shown with escapes | inbox/contract::event_ids_are_told_apart_byte_for_byte
79 | an id of more than 64 bits | kept as a text |
80 | a known id with another body | 200, a conflict: kept, counted, never handled | web/log_bound::conflicts_of_one_delivery_are_one_line_and_all_signalled, inbox/contract::conflict_keeps_its_delivery_and_the_first_content, hostile/catalogue_repeats::other_body_under_a_known_id_is_a_conflict
81 | one id at two endpoints, of two accounts | two events | inbox/contract::event_id_is_unique_within_its_endpoint_only, web/livechat::secret_of_one_webhook_burns_no_id_of_another, hostile/catalogue_repeats::one_id_at_two_endpoints_is_two_events
82 | one event a hundred times at once | handled once | acceptance/duplicates::event_sent_100_times_at_once_is_handled_once_by_4_processes, acceptance/duplicates::event_sent_100_times_at_once_is_handled_once_by_threads_on_memory
83 | a duplicate while the first runs, waits or is dead | 200, and the first stays as it is | inbox/contract::duplicate_names_the_first_entry_and_how_it_stands, hostile/catalogue_repeats::duplicate_leaves_the_first_as_it_is
84 | 10,000 events in one body | one that is not understood; all of them under a higher limit | web/many_items::body_of_too_many_events_is_one_event_that_is_not_understood, web/many_items::10_000_events_are_admitted_under_a_higher_limit
85 | a batch with one broken event | the others are handled, the broken one is kept | hostile/catalogue_repeats::batch_that_is_sent_again_is_all_duplicates
86 | a batch with one id twice | handled once | inbox/contract::event_id_twice_in_one_body_is_one_entry, hostile/catalogue_repeats::batch_that_is_sent_again_is_all_duplicates
87 | a type or version that nobody knows | kept, 200 |
88 | an event that is older than one before it | handlers see its time and may ask for order | inbox/contract_lanes::entries_of_a_lane_are_claimed_in_the_order_they_were_admitted, hostile/catalogue_repeats::older_event_tells_its_handler_that_it_is_older
89 | a handler that raises | tried again, dead after exactly its attempts | handling/worker::entry_is_dead_after_exactly_the_attempts_of_its_policy, hostile/catalogue_handlers::handler_that_fails_is_tried_again_and_dead_after_its_attempts
90 | an exception that cannot be shown, or is very long | cut, and kept | handling/worker::stored_error_is_short_and_survives_a_broken_exception, log::error_that_cannot_be_shown_is_logged_all_the_same, hostile/catalogue_handlers::handler_that_fails_is_tried_again_and_dead_after_its_attempts
91 | a handler that hangs | its lease is renewed as long as its thread lives; a stop does not wait for ever. No time limit ends it | handling/worker::lease_of_a_running_handler_is_renewed, runners/runners::stop_does_not_wait_for_ever
92 | a handler that ends the program | a failed attempt; the worker lives, or its successor goes on | handling/worker::whatever_a_handler_raises_is_a_failed_attempt, runners/runners::handler_that_raises_what_ends_programs_ends_no_thread, hostile/catalogue_handlers::handler_that_fails_is_tried_again_and_dead_after_its_attempts
93 | a handler that kills its process | dead after its attempts, its neighbours are done | acceptance/lease::event_that_kills_its_worker_is_dead_and_its_neighbours_are_done
94 | a handler that recurses, forks, leaves threads, changes the folder, the umask or the locale, closes files of others | a failed attempt, or none of its neighbours' business; a child keeps no lease; an inbox whose files were closed is 503 until the process is restarted | handling/worker::forked_child_does_not_keep_its_parents_leases, hostile/catalogue_handlers::handler_that_fails_is_tried_again_and_dead_after_its_attempts, hostile/catalogue_handlers::handler_that_changes_its_process_harms_no_other_event, inbox/closed_descriptors::inbox_whose_files_were_closed_acknowledges_nothing_more
95 | an entry that its handler has deleted or changed | said, and nothing is recorded | handling/worker::fenced_worker_settles_nothing, hostile/catalogue_handlers::handler_that_changes_its_own_entry_settles_nothing
96 | success, and death before it is recorded | transactional handlers: once; others run again with the same id | inbox/contract_transact::effects_and_success_are_committed_together, handling/worker_attempts::success_whose_settlement_was_lost_is_not_repeated
97 | a handler that is missing after a deploy | a dead letter that a replay runs | web/rolling_deploy::handler_that_nobody_knows_any_more_ends_as_a_dead_letter
98 | a worker that was paused beyond its lease | settles nothing | acceptance/lease::worker_that_was_paused_past_its_lease_cannot_settle
99 | kill -9 between any two steps | nothing lost, nothing twice | acceptance/crash_points::death_in_the_life_of_a_delivery_loses_and_doubles_nothing, acceptance/every_store_call::any_one_call_of_the_store_may_fail
100 | SIGTERM while something runs | it ends and settles | acceptance/gunicorn::termination_lets_a_running_handler_end_and_settle
101 | a database file that is locked for too long | 503 | inbox/sql::locked_file_is_unavailable, acceptance/store_faults::store_that_cannot_be_written_is_503_until_it_is_repaired
102 | a disk that is full | 503, and deliveries again when there is room | acceptance/store_faults::disk_that_is_full_is_503_and_takes_again_when_there_is_room, acceptance/every_store_call::any_one_call_of_the_store_may_fail
103 | a file that is read-only, gone, cut, foreign, damaged, or without its log | refused with a sentence; never a new inbox in silence. A body whose bits have flipped is a dead letter, and never handled | inbox/lost_file::file_that_was_removed_is_not_made_anew, inbox/lost_file::removed_log_of_a_killed_process_is_refused, acceptance/store_faults::truncated_file_is_refused_at_start_and_left_alone, inbox/opening::file_that_can_only_be_read_is_refused, inbox/damaged::file_with_flipped_bits_is_refused_or_takes_events, inbox/damaged::damaged_delivery_is_a_dead_letter_and_holds_up_no_other
104 | a file on a network, or replaced under a process | refused; 503 | inbox/group_commit::network_file_system_is_refused, inbox/lost_file::older_copy_put_in_place_of_the_file_is_refused_while_it_is_there
105 | PostgreSQL that restarts, hangs, ends sessions, has other defaults | 503 within bounds, and no event lost | acceptance/postgres_faults::server_that_is_restarted_under_load_costs_503_and_no_event, acceptance/postgres_faults::server_that_hangs_is_503_in_time_and_takes_again_when_it_goes_on, inbox/sql::postgresql_commits_to_disk_whatever_its_default, acceptance/every_store_call::any_one_call_of_the_store_may_fail
106 | Redis that is emptied or down | costs time and no event: it holds wake-ups only | acceptance/celery::kill_9_of_workers_and_an_emptied_broker_lose_and_double_nothing
107 | a broker that is down, loses, doubles or forges messages | the inbox decides; a message is an id in JSON | acceptance/celery::broker_that_is_down_costs_deliveries_nothing, acceptance/rabbitmq::broker_that_restarts_costs_deliveries_nothing, runners/celery_runner::task_drains_what_is_due_whichever_entry_it_names
108 | a migration that is killed; old code beside new | the old tables stay whole; both work | inbox/table_upgrade::death_amid_a_migration_leaves_the_old_tables_whole, web/rolling_deploy::old_code_leaves_a_new_endpoint_to_new_code
109 | a database whose clock is wrong | no matter: hookkit asks its own clock alone | acceptance/lease::clock_that_jumps_under_a_pool_loses_and_doubles_nothing
110 | line breaks and control characters for logs and terminals | shown as escapes | log::no_argument_of_a_line_forges_a_line_or_steers_a_terminal, log::no_error_forges_a_line_or_steers_a_terminal, cli/hostile_text::command_of_an_application_shows_hostile_text_harmlessly, cli/hostile_text::command_without_an_application_shows_hostile_text_harmlessly, hostile/catalogue_operators::hostile_text_of_a_payload_steers_no_log
111 | markup in a payload | escaped on the sample's page | acceptance/sample_app::page_escapes_what_strangers_write
112 | a stored body that a browser would run | open: no page hands out bodies
113 | a page for operators without access control | open: there is no such page
114 | a forged request to such a page | open: there is no such page
115 | SQL and wildcards in ids and filters | kept as they are; statements have parameters | hostile/catalogue_operators::words_of_a_payload_are_found_exactly_and_change_no_statement
116 | the events of another tenant | endpoints, accounts and applications are kept apart | operating/applications::entry_that_a_secret_of_another_application_has_proved_is_left_to_it
117 | a replay of very many events | in steps, with its progress told | web/operations::many_are_replayed_and_progress_is_told, web/operations::what_arrives_meanwhile_is_not_replayed, cli/inbox_commands::replay_of_everything_must_be_said
118 | secrets in a view, a log, a `repr`, a task | nowhere | settings/settings::no_repr_shows_a_secret, web/log_bound::secret_is_in_no_line, inbox/opening::log_of_our_own_engine_holds_no_body_at_any_level, runners/celery_runner::wake_up_carries_the_id_of_an_entry_and_nothing_else, hostile/catalogue_operators::no_local_variable_of_a_logged_traceback_holds_a_secret
119 | formulas in an exported table | open: nothing is exported
120 | kinds of lines without end | bounded | handling/worker::kinds_told_of_are_bounded
121 | forwarded addresses and hosts | count only where a proxy is configured; the URL that is signed is the one in the settings | providers/eight_by_eight_receiving::forwarded_address_counts_only_where_a_proxy_is_configured, acceptance/nginx::address_of_the_client_is_not_what_the_client_says, hostile/catalogue_operators::url_that_is_signed_is_that_of_the_settings
122 | a URL in a payload | never fetched |
123 | a flood of refused deliveries, from one network or twenty | few are kept, none of the vendor's is pushed out, no answer is a 5xx | receiving/quarantine::flood_of_some_networks_leaves_room_for_one_that_sends_little, inbox/contract_quarantine::flood_of_one_network_pushes_out_its_own, acceptance/quarantine::flood_fills_no_table_and_does_not_push_out_the_vendor
124 | a secret in a refused delivery | kept as a salted hash alone, which proves nothing when it is sent | receiving/concealment::secret_that_was_sent_along_is_kept_nowhere_and_proves_the_delivery_later, receiving/concealment::hash_that_is_kept_proves_nothing_when_it_is_sent, web/quarantine::secret_that_was_sent_is_in_no_file
125 | an old delivery, sent again and released by a person | its time is compared with that of its arrival; a known event is a duplicate | web/quarantine::signature_is_compared_with_the_time_of_arrival, web/quarantine::what_was_refused_several_times_is_admitted_once
"""  # noqa: E501  # a table


@dataclass(frozen=True, kw_only=True)
class Item:
    """A row: ``tests`` are its own, without the cases of the catalogue's module."""

    number: int
    what: str
    outcome: str
    tests: tuple[str, ...] = ()
    why_open: str = ""

    @property
    def state(self) -> str:
        """``held``, ``by the server`` or ``open``."""
        if self.why_open:
            return "open"
        return "by the server" if self.outcome == "refused by the server" else "held"


def _read(row: str) -> Item:
    cells = [cell.strip() for cell in row.split(" | ")]
    number, what, outcome = int(cells[0]), cells[1], cells[2].removesuffix("|").strip()
    if outcome.startswith("open: "):
        return Item(number=number, what=what, outcome="", why_open=outcome.removeprefix("open: "))
    tests = tuple(each.strip() for each in cells[3].split(",")) if len(cells) > 3 else ()
    return Item(number=number, what=what, outcome=outcome, tests=tests)


ITEMS = [_read(row) for row in _ROWS.strip().splitlines()]
