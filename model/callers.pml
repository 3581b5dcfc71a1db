/* Whose turn it is, who prepares, what is run again: the callers, from call to answer. */

/* An impatient caller may be cancelled, or run out of time, whenever it waits. */
inline choose(patience) {
    if
    :: patience != IMPATIENT -> patient = true
    :: patience != PATIENT -> patient = false
    fi
}

/* Unless it is still on the wire, and then for nobody. */
inline forget_answer(r) {
    if
    :: request[r].place == NOWHERE -> forget(r)
    :: else
    fi
}

#define was_alone(r) (request[r].idle && request[r].kind != FIRST)
#define may_run_again(r) ((request[r].kind != CALL || broken(RERUN_ANY)) \
    && (was_alone(r) || broken(RERUN_IN_TRANSACTION)))

/* 57014 for a caller who is still there, and so did not cancel. */
inline canceled(r) {
    printf("the caller of request %d hears that it was cancelled\n", r);
    check(only_administrators_cancel_others,
          by_administrator[r] || (request[r].exposed && !broken(NO_WINDOW)));
    if
    :: request[r].exposed && !request[r].in_block -> reached(COLLATERAL)
    :: request[r].exposed && request[r].in_block && r != END -> reached(COLLATERAL_IN_BLOCK)
    :: request[r].exposed && r == END -> reached(COLLATERAL_END)
    :: by_administrator[r] && !request[r].exposed -> reached(NOT_OUR_SIGNAL)
    :: else
    fi
}

/* The answer to statement r: what it says has to be true. */
inline take_answer(r) {
    if
    :: request[r].outcome == CANCELED && request[r].exposed && may_run_again(r) &&
       !broken(NO_WINDOW) ->
        printf("request %d is to be run again\n", r);
        again = true
    :: request[r].outcome == CANCELED && !(request[r].exposed && may_run_again(r) &&
       !broken(NO_WINDOW)) ->
        canceled(r)
    :: request[r].outcome == DONE && !request[r].in_block ->
        check(result_means_done, effects[r] == 1);
        if
        :: again -> reached(RERUN)
        :: else
        fi
    :: else
    fi
}

#define not_in_a_block (block == FREE || block == CLOSED)

proctype stranger(byte c; bool harmless; mtype:patience is) {
    byte moved;
    bool patient, again;
    choose(is);
turn:
    if
    :: atomic { !lost && (not_in_a_block || (again && broken(RERUN_AT_ONCE))) ->
        if
        :: harmless -> submit(c, STATEMENT, false, NONE)
        :: else -> submit(c, CALL, false, NONE)
        fi
      }
    :: lost -> goto done
    :: !patient -> goto done
    fi;
    if
    :: atomic { request[c].outcome != NOT_YET ->
        take_answer(c);
        if
        :: again && request[c].outcome == CANCELED && may_run_again(c) -> goto turn
        :: else
        fi
      }
    :: atomic { !patient -> discard(c) }
    fi;
done:
    atomic { over[c] = true; forget_answer(c) }
}

/* The first statement of the block carries its BEGIN under the same Sync. */
inline begin_with(c) {
    if
    :: broken(BEGIN_ALONE) ->
        begun = ANSWERED;
        submit(LONELY, BEGIN, true, NONE);
        submit(c, STATEMENT, true, NONE)
    :: else ->
        begun = UNANSWERED;
        submit(c, FIRST, true, NONE)
    fi
}

/* A statement asked for inside the block: by the task that opened it, or by a child of that. */
proctype member(byte c; mtype:patience is) {
    byte moved;
    bool patient, again;
    if
    :: block == OPEN
    :: block == CLOSING || block == CLOSED -> goto done
    fi;
    choose(is);
    if
    :: atomic { block == OPEN && begun == UNSENT -> begin_with(c) }
    :: atomic { block == OPEN && begun == ANSWERED -> submit(c, STATEMENT, true, NONE) }
    :: block == OPEN && begun == NOT_BEGUN -> goto done
    :: atomic { !lost && block == CLOSED && broken(LATE_JOIN) ->
        submit(c, STATEMENT, true, NONE)
      }
    :: atomic { block == CLOSING || block == CLOSED && !broken(LATE_JOIN) ->
        reached(REFUSED);
        goto done
      }
    :: !patient || lost -> goto done
    fi;
answer:
    if
    :: atomic { request[c].outcome != NOT_YET ->
        take_answer(c);
        if
        :: again && !lost && request[c].outcome == CANCELED && may_run_again(c) ->
            submit(c, STATEMENT, true, NONE);
            goto answer
        :: else
        fi
      }
    :: atomic { !patient -> discard(c) }
    fi;
done:
    atomic { over[c] = true; forget_answer(c) }
}

inline end_block(how) {
    if
    :: broken(RELEASE_EARLY) -> block = CLOSED
    :: else -> block = CLOSING
    fi;
    submit(END, how, true, NONE)
}

#define done_as_said(c) (request[c].outcome != DONE || effects[c] == 1)
#define undone(c) (!request[c].in_block || effects[c] == 0)

/* The answer to COMMIT or ROLLBACK. */
inline take_end() {
    if
    :: request[END].outcome == DONE && request[END].kind == COMMIT ->
        check(commit_means_committed,
              committed && done_as_said(0) && done_as_said(1) && done_as_said(2));
        if
        :: effects[0] == 1 && effects[1] == 1 && effects[2] == 1 -> reached(COMMITTED)
        :: else
        fi
    :: request[END].outcome == CANCELED -> canceled(END)
    :: request[END].outcome == LOST
    :: else ->
        check(rollback_means_undone, undone(0) && undone(1) && undone(2));
        if
        :: request[END].outcome == TAG_ROLLBACK -> reached(ABORTED_COMMIT)
        :: else
        fi
    fi
}

/* The task of `async with connection.transaction()`, whose own statement is member 0. */
proctype owner(mtype:patience is) {
    byte moved;
    bool patient;
    choose(is);
    if
    :: atomic { not_in_a_block && !lost -> block = OPEN }
    :: !patient || lost -> block = CLOSED; goto done
    fi;
    over[0];
    if
    :: goto commit
    :: goto rollback
    fi;
commit:
    if
    :: atomic { block == OPEN && (begun == ANSWERED ||
                (begun == UNANSWERED && broken(COMMIT_BEHIND_BEGIN))) ->
        end_block(COMMIT);
        goto answer
      }
    :: atomic { block == OPEN && (begun == UNSENT || begun == NOT_BEGUN) ->
        block = CLOSED;
        goto done
      }
    :: block == CLOSED -> goto done
    :: !patient -> goto rollback
    fi;
rollback:
    atomic {
        if
        :: block == OPEN && begun == ANSWERED -> end_block(ROLLBACK)
        :: block == OPEN && begun == UNANSWERED ->
            if
            :: broken(NO_ROLLBACK) -> block = CLOSED; goto done
            :: request[0].kind == FIRST && !broken(NO_ROLLBACK) ->
                reached(ABANDONED_BEGIN);
                end_block(ROLLBACK)
            :: request[0].kind != FIRST && !broken(NO_ROLLBACK) -> end_block(ROLLBACK)
            fi
        :: block == OPEN && begun == UNSENT && !broken(NO_ROLLBACK) ->
            end_block(ROLLBACK)  /* for nothing: it is not known yet that the BEGIN was dropped */
        :: block == OPEN && (begun == UNSENT || begun == NOT_BEGUN) -> block = CLOSED; goto done
        :: else -> goto done
        fi
    };
answer:
    if
    :: atomic { request[END].outcome != NOT_YET -> take_end() }
    :: atomic { !patient -> discard(END) }
    fi;
done:
    skip
}

inline tell_coverage(c) {
    if
    :: effects[0] == 1 && effects[1] == 1 && parsed[PREPARE_OF(0)] + parsed[PREPARE_OF(1)] == 1 ->
        reached(PREPARED_FOR_ALL)
    :: else
    fi;
    if
    :: parsed[PREPARE_OF(c)] && request[PREPARE_OF(1 - c)].outcome == FAILED ->
        reached(PREPARED_AGAIN)
    :: prepared == SPARE -> reached(PREPARE_RERUN)
    :: else
    fi
}

/* Several callers of one statement: the first sends its Prepare, the others wait for that. */
proctype sharer(byte c; mtype:patience is) {
    byte moved, prepare = NONE, own = PREPARE_OF(c);
    bool patient, again;
    choose(is);
turn:
    if
    :: atomic { !lost && prepared != NONE -> submit(c, STATEMENT, false, prepared); goto answer }
    :: atomic { !lost && prepared == NONE && preparing == NONE ->
        prepare = own;
        preparing = prepare;
        relying = 1;
        submit(prepare, PREPARE, false, NONE)
      }
    :: atomic { !lost && prepared == NONE && preparing != NONE ->
        if
        :: broken(EXECUTE_EARLY) -> submit(c, STATEMENT, false, preparing); goto answer
        :: else -> prepare = preparing; relying++
        fi
      }
    :: !patient || lost -> goto done
    fi;
    if
    :: atomic { request[prepare].outcome != NOT_YET ->
        if
        :: prepare == own && request[prepare].outcome == CANCELED &&
           request[prepare].exposed && !spare_taken ->
            spare_taken = true;
            own = SPARE;
            prepare = NONE;
            goto turn
        :: prepare == own && request[prepare].outcome == CANCELED &&
           !(request[prepare].exposed && !spare_taken) ->
            canceled(prepare);
            goto done
        :: prepare == own && request[prepare].outcome == FAILED -> goto done
        :: else -> prepare = NONE; goto turn
        fi
      }
    :: atomic { !patient ->
        if
        :: preparing == prepare -> relying--
        :: else
        fi;
        if
        :: preparing == prepare &&
           (relying == 0 || (prepare == own && broken(DROP_PARSE))) ->
            preparing = NONE;
            discard(prepare)
        :: else
        fi;
        goto done
      }
    fi;
answer:
    if
    :: atomic { request[c].outcome != NOT_YET ->
        take_answer(c);
        if
        :: again && request[c].outcome == CANCELED && may_run_again(c) -> goto turn
        :: request[c].outcome == DONE -> tell_coverage(c)
        :: else
        fi
      }
    :: atomic { !patient -> discard(c) }
    fi;
done:
    atomic { over[c] = true; forget_answer(c) }
}
