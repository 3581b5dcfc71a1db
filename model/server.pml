/* The server, and the network to it: they answer, delay, cancel, lose. */

#define may_hit(k, r) (strikes[k] > 0 && !(request[r].safe_from & k))

/* QueryCancelPending is seen while request r runs. */
inline cancel(r) {
    result = CANCELED;
    if
    :: request[r].kind == FIRST ->
        if
        :: true              /* in BEGIN: the statement is skipped */
        :: status = E        /* in the statement */
        fi
    :: request[r].kind == CALL && status == I ->
        if
        :: true
        :: take_effect(r)    /* it had committed what it did */
        fi
    :: request[r].kind == COMMIT && status == T ->
        undo();
        if
        :: status = I        /* in the middle of it: the transaction is rolled back */
        :: status = E        /* before it began: a failed transaction stays open */
        fi
    :: request[r].kind == ROLLBACK && status == T -> undo(); status = E
    :: else ->
        if
        :: status == T -> undo(); status = E
        :: else
        fi
    fi
}

inline hit(k, r) {
    printf("signal %d hits request %d\n", k, r);
    strikes[k]--;
    if
    :: strikes[k] == 0 -> reached(HIT_TWICE)
    :: else
    fi;
    if
    :: eof[k] -> reached(LATE_HIT)
    :: broke_off[k] && !cancelling -> reached(STRAY_HIT)
    :: else
    fi;
    if
    :: k == 2 && cancelling && r == target -> reached(REPEATED)
    :: else
    fi;
    cancel(r)
}

inline undo() {
    for (each : 0 .. CALLERS - 1) {
        pending[each] = false
    }
    each = 0
}

inline take_effect(r) {
    effects[r]++;
    printf("request %d takes effect\n", r);
    check(takes_effect_once, effects[r] == 1)
}

/* Request r, which is not hit by a signal: it succeeds, unless it `fails`. */
inline serve(r, fails) {
    if
    :: request[r].kind == FIRST && fails ->
        if
        :: true
        :: status = E
        fi;
        result = FAILED
    :: request[r].kind == BEGIN && fails -> result = FAILED
    :: (request[r].kind == FIRST || request[r].kind == BEGIN) && !fails ->
        status = T;
        result = DONE;
        if
        :: request[r].kind == FIRST -> pending[r] = true
        :: else
        fi
    :: request[r].kind == COMMIT ->
        if
        :: status == T && !fails ->
            for (each : 0 .. CALLERS - 1) {
                if
                :: pending[each] -> take_effect(each)
                :: else
                fi
            }
            each = 0;
            committed = true;
            result = DONE
        :: status == T && fails -> result = FAILED       /* a deferred constraint */
        :: status == E -> result = TAG_ROLLBACK
        :: status == I -> result = DONE                  /* with a warning: no transaction */
        fi;
        undo();
        status = I
    :: request[r].kind == ROLLBACK -> undo(); status = I; result = DONE
    :: request[r].kind == PREPARE && fails -> result = FAILED
    :: request[r].kind == PREPARE && !fails -> parsed[r] = true; result = DONE
    :: request[r].kind == STATEMENT || request[r].kind == CALL ->
        if
        :: status == E -> result = FAILED                /* 25P02 */
        :: status == T && !fails -> pending[r] = true; result = DONE
        :: status == T && fails -> undo(); status = E; result = FAILED
        :: status == I && !fails -> take_effect(r); result = DONE
        :: status == I && fails -> result = FAILED
        fi
    fi
}

inline receive(r) {
    to_server?r;
    if
    :: request[r].kind == STATEMENT || request[r].kind == CALL ->
        check(runs_in_its_own_transaction, request[r].in_block == (status != I));
        check(executes_what_was_parsed, request[r].relies_on == NONE ||
                                        parsed[request[r].relies_on])
    :: else
    fi
}

/* It may freeze while somebody's request is abandoned, and thaw when none is any more. */
#define may_freeze (abandoned_head || cancelling)

proctype server() {
    byte r, each;
    mtype:outcome result = NOT_YET;
end:
    do
    :: atomic { nempty(to_server) && nfull(to_client) ->
        receive(r);
        if
        :: may_hit(1, r) -> hit(1, r)
        :: may_hit(2, r) -> hit(2, r)
        :: administrator > 0 -> administrator--; by_administrator[r] = true; cancel(r)
        :: failures > 0 -> failures--; serve(r, true)
        :: serve(r, false)
        fi;
        printf("the server answers request %d: %e, status %e\n", r, result, status);
        to_client!r, result, status;
        r = 0;
        result = NOT_YET
      }
    :: may_freeze && !lost ->
end_frozen:
        !may_freeze || lost
    :: lost -> break
    od
}

/* Nothing that either side says arrives any more. */
proctype network() {
    byte each;
end:
    atomic { !lost -> lose() }
}
