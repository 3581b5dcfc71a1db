"""What of the server tests cannot make sense through a pooler, and why.

A pattern is a file, or a file and a test; a test of this folder sees that each of them exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import PurePath

# What goes through pgpool-II, which gives each client a session of its own: a part will do. After
# each cancellation it takes a second, so those have a test of their own (test_pgpool.py).
PGPOOL_FILES = (
    "test_queries.py",
    "test_statement_cache.py",
    "test_transactions.py",
)

# Through PgBouncer in any mode.
PGBOUNCER: Mapping[str, tuple[str, ...]] = {
    "PgBouncer refuses settings that it does not know": (
        "test_cancellation.py::test_the_servers_own_cancellation_is_the_callers",
        "test_connect.py::test_server_settings",
        "test_copy_arguments.py::test_values_of_every_kind",
        "test_connect.py::test_unknown_setting",
        "test_pipeline_cancelled.py::test_a_statement_timeout",
        "test_regressions.py::test_3_*",
        "test_regressions_types.py::*",
        "test_traceless.py::test_an_error_is_a_no",
        "test_transactions.py::test_the_sessions_own_defaults",
        "test_written.py::test_a_setting_arrives_as_it_was_given",
        "test_written.py::test_the_longest_startup_message",
    ),
    "the backend outlives its client, who goes politely or not": (
        "test_closing.py::test_close",
        "test_closing.py::test_close_waits_for_statements_that_are_abandoned",
        "test_closing.py::test_terminate",
        "test_connect.py::test_block_closes_*",
        "test_foreign.py::test_forgotten*",
        "test_listeners.py::test_nobody_holds_the_connection",
        "test_regressions.py::test_4_cancelled_and_closed",
        "test_termination.py::test_garbage_collected",
    ),
    "PgBouncer has words of its own for wrong users and databases and for lost servers": (
        "test_connect.py::test_a_call_that_failed_cannot_be_repeated",
        "test_connect.py::test_missing_*",
        "test_copy_out_faults.py::test_lost_in_the_middle",
        "test_reset.py::test_all_of_it_at_once_by_an_ordinary_user",
        "test_reset.py::test_the_role_that_the_session_began_with",
        "test_unreachable.py::test_terminated_while_idle",
        "test_written.py::test_names_of_roles_and_databases",
    ),
    "leaves with several statements under way, whose answers PgBouncer gives to the next client": (
        "test_closing.py::test_terminate_*",
        "test_termination.py::test_an_abandoned_statement_that_does_not_end",
        "test_termination.py::test_close_out_of_time",
    ),
    "looks for the server's own address, sockets or process ids": (
        "test_connect.py::test_both_kinds_of_socket",
        "test_connect.py::test_facts",
        "test_connect.py::test_nothing_happens_unless_it_is_used",
        "test_foreign.py::test_a_forked_child_is_refused",
        "test_keepalives.py::test_a_connection",
        "test_termination.py::test_as_asyncpg",
    ),
}

# What does not work when each transaction has another session.
TRANSACTION: Mapping[str, tuple[str, ...]] = {
    "a temporary table stays in one session": (
        "test_another_server.py::test_a_connection_that_is_closed_here_says_nothing",
        "test_another_server.py::test_many_connections_are_lost_at_once",
        "test_cancellation.py::test_in_a_transaction",
        "test_copy_in.py::test_a_temporary_table_in_front",
        "test_copy_in.py::test_generated_columns",
        "test_copy_in.py::test_names_as_they_are",
        "test_copy_in.py::test_no_columns_at_all",
        "test_copy_in.py::test_types*",
        "test_copy_in_faults.py::test_any_length_takes_little_memory",
        "test_copy_refused.py::test_*behind_a_copy",
        "test_copy_refused.py::test_among_neighbours",
        "test_copy_refused.py::test_in_the_middle_of_a_script",
        "test_copy_refused.py::test_refused",
        "test_described.py::test_how_many_rows_many_executions_were_about",
        "test_errors.py::test_fields",
        "test_errors.py::test_in_each_phase",
        "test_errors.py::test_inside_a_transaction",
        "test_errors.py::test_neighbours_are_unharmed",
        "test_executemany.py::test_columns_have_changed",
        "test_executemany.py::test_the_server_goes",
        "test_foreign.py::test_facts_are_for_everybody",
        "test_foreign.py::test_others_end_no_transaction",
        "test_interruption.py::test_*transaction*",
        "test_interruption.py::test_neighbours_in_flight",
        "test_interruption.py::test_rollback",
        "test_log_listeners.py::test_in_the_middle_of_rows",
        "test_neighbours.py::test_a_head_that_is_finishing_is_left_alone",
        "test_orphans.py::test_a_forgotten_savepoint",
        "test_orphans.py::test_forgotten",
        "test_pipelining.py::test_one_failure_among_neighbours",
        "test_pipelining.py::test_order",
        "test_queries.py::test_*command_tag*",
        "test_queries.py::test_as_many_columns_as_there_can_be",
        "test_queries.py::test_statements_without_result",
        "test_queries.py::test_failing_script_is_undone_as_a_whole",
        "test_queries.py::test_first_row_only_and_yet_all_of_the_work",
        "test_queries.py::test_script",
        "test_records.py::test_a_field_that_comes_as_text_only",
        "test_records.py::test_a_field_of_which_nothing_was_known",
        "test_records.py::test_depth",
        "test_records.py::test_rows_of_a_table",
        "test_records.py::test_what_a_function_returns",
        "test_regressions_into.py::test_what_is_known_not_to_fit_does_not_run",
        "test_statement_cache.py::test_a_*table",
        "test_statement_cache.py::test_hidden_by_what_is_created_later",
        "test_statement_cache.py::test_what_is_created_costs_no_other_statement",
        "test_statement_cache.py::test_a_parameter_whose_type_has_changed",
        "test_statement_cache.py::test_after_alter_table*",
        "test_timeouts.py::test_a_timeout_that_is_none",
        "test_timeouts.py::test_nothing_is_sent_without_time",
        "test_transactions.py::test_commit_that_fails",
        "test_transactions.py::test_many_one_after_another",
    ),
    "in the simple protocol the session is taken away in the middle of the data of a COPY": (
        "test_copy_in_faults.py::test_*_in_the_simple_protocol",
        "test_copy_in_faults.py::test_who_is_refused_reads_no_more",
    ),
    "LISTEN is said in one session, and heard in none": (
        "test_listen_together.py::*",
        "test_listeners.py::*",
        "test_notifications.py::*",
    ),
    "a backend is only known while it works for a connection, which is too late or over": (
        "test_another_server.py::test_types_of_another_server",
        "test_cancellation.py::test_all_of_a_pipeline",
        "test_cancellation.py::test_neighbours_keep_their_answers",
        "test_cancellation.py::test_no_way_to_cancel",
        "test_cancellation.py::test_stops_the_statement",
        "test_cancellation.py::test_what_follows_at_once_is_not_hit",
        "test_closing.py::test_close_with_statements_not_yet_sent",
        "test_closing.py::test_close_in_time",
        "test_closing.py::test_close_is_cancelled",
        "test_closing.py::test_lost_inside_a_block",
        "test_closing.py::test_many_connections_leave_nothing",
        "test_closing.py::test_those_who_wait_for_a_transaction_are_told",
        "test_copy_out_faults.py::test_a_slow_output_holds_up_the_server",
        "test_copy_out_faults.py::test_cancelled_while_the_server_works",
        "test_foreign.py::test_in_another_thread",
        "test_pipeline_cancelled.py::test_cancelled",
        "test_pipeline_cancelled.py::test_hit_by_a_cancellation_meant_for_another",
        "test_termination.py::test_a_listener_that_*",
        "test_termination.py::test_after_those_who_wait_for_answers",
        "test_termination.py::test_killed_by_the_administrator",
        "test_termination.py::test_never_from_within",
        "test_timeouts.py::test_a_frozen_server*",
        "test_timeouts.py::test_a_server_that_is_frozen_for_a_moment",
        "test_traceless.py::test_a_connection_that_is_lost",
        "test_transactions.py::test_rollback_on_cancellation",
    ),
    "statements without names are not on their way together, so none is hit with another": (
        "test_collateral.py::test_a_preparation_*",
        "test_collateral.py::test_hit_again_and_again",
        "test_collateral.py::test_the_proof_is_not_waited_for",
        "test_copy_out_faults.py::test_hit_by_the_cancellation_of_another_one",
        "test_neighbours.py::test_inside_a_transaction_nothing_runs_again",
        "test_neighbours.py::test_what_is_known_harmless_runs_again",
    ),
    "uses or changes named statements, settings, temporary tables and locks of a session": (
        "test_left_behind.py::*",
        "test_neighbours.py::test_what_is_not_known_harmless_raises",
        "test_pipeline_refused.py::test_a_stale_statement",
        "test_pipelining.py::test_the_same_new_statement_many_times",
        "test_copy_in.py::test_columns_have_changed_and_records_are_gone",
        "test_copy_in.py::test_who_may_only_insert",
        "test_cursors.py::test_a_prepared_statement",
        "test_cursors.py::test_reset",
        "test_out_of_date.py::test_a_type_without_a_binary_form",
        "test_out_of_date.py::test_long_texts_are_not_kept",
        "test_out_of_date.py::test_other_columns_may_mean_other_parameters",
        "test_prepare.py::*",
        "test_records.py::test_json_that_is_too_deep",
        "test_reset.py::*",
        "test_stream_faults.py::test_one_that_is_kept_keeps_no_statement",
        "test_stream_faults.py::test_reset",
        "test_stream_faults.py::test_the_bodys_time_is_not_the_statements",
        "test_statement_cache.py::test_another_search_path",
        "test_statement_cache.py::test_lost_*",
        "test_statement_cache.py::test_the_least_recently_used_leaves",
        "test_statement_cache.py::test_used_again",
        "test_type_codecs.py::test_statements_that_are_kept",
        "test_types_that_change.py::test_a_catalogue_that_may_not_be_read",
        "test_types_that_change.py::test_gone_in_a_transaction",
        "test_user_types.py::test_any_search_path_and_role",
    ),
}

UNSUITABLE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "session": PGBOUNCER,
    "transaction": {**PGBOUNCER, **TRANSACTION},
    "pgpool": {
        "pgpool-II follows statements and transactions itself, and answers for the server": (
            "test_statement_cache.py::test_lost_behind_our_back",
            "test_transactions.py::test_commit_that_fails",
        ),
    },
}


def reason_against(nodeid: str, kind: str) -> str | None:
    """Why a test cannot make sense through this pooler; None if it can."""
    path, _, test = nodeid.partition("::")
    name = f"{PurePath(path).name}::{test.partition('[')[0]}"
    for reason, patterns in UNSUITABLE[kind].items():
        if any(fnmatch(name, pattern) for pattern in patterns):
            return reason
    return None
