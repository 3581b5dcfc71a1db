/*
 * How several callers share one connection: the client's rules, and a server that may do its worst.
 *
 *   -DCALLERS_OF=SHARED     who is there (below)
 *   -DBROKEN=NO_HOLD        a variant with one rule broken: it has to fail
 *   -DCOVER=RERUN           asserts that something never happens: it has to fail too
 *
 * check.py runs them all. README.md tells the rules, what is left out, and how to read a trail.
 */

/* Who shares the connection. */
#define SHARED 1           /* two statements that are harmless to repeat, one CALL that is not */
#define BLOCK 2            /* a transaction block with two statements, and a stranger */
#define TURNS 3            /* a transaction block with one statement, and two strangers */
#define FAMILY 4           /* a transaction block with three statements */
#define PREPARING 5        /* two callers of one statement that is not prepared yet */
#define FLOW 6             /* patient callers and a wire that is full */
#ifndef CALLERS_OF
#define CALLERS_OF SHARED
#endif

/* The broken variants. */
#define NOTHING 0
#define NO_HOLD 1               /* sends go on while a cancel is under way */
#define NO_EOF 2                /* the hold ends with the head's answer, before the signal is known out */
#define LOST_IS_EOF 3           /* a cancel connection that broke off counts as ended */
#define TWO_CANCELS 4           /* a cancel is repeated before the one before it has ended */
#define NO_WINDOW 5             /* every QueryCanceledError is handed to the caller as it is */
#define EXPOSED_IF_SENT 6       /* what is still in the output buffer is not marked */
#define RERUN_ANY 7             /* what is not harmless is run again too */
#define RERUN_IN_TRANSACTION 8  /* what was cancelled in a block is run again all the same */
#define RERUN_AT_ONCE 9         /* a rerun does not wait for its turn */
#define BEGIN_ALONE 10          /* BEGIN has its own Sync, and the statement does not wait for it */
#define COMMIT_BEHIND_BEGIN 11  /* COMMIT does not wait for the first statement's answer */
#define NO_ROLLBACK 12          /* a block is left without a ROLLBACK while its BEGIN is on the wire */
#define DROP_BEGIN 13           /* a dropped BEGIN counts as sent */
#define DROP_COMMIT 14          /* an abandoned COMMIT that was not sent is dropped */
#define RELEASE_EARLY 15        /* the block lets others in when its end is sent */
#define END_IS_ANSWER 16        /* ... when its end is answered, whatever the answer */
#define LATE_JOIN 17            /* a statement that waited past the end of its block runs all the same */
#define DROP_SENT 18            /* an abandoned request leaves the FIFO although it was sent */
#define DROP_PARSE 19           /* a Prepare that others rely on is dropped with its caller */
#define EXECUTE_EARLY 20        /* an Execute does not wait for its Prepare */
#define NO_DRAIN_TIMEOUT 21     /* an abandoned request may take for ever */
#define BLOCKING_SEND 22        /* nothing is read while there is something to send */
#define RETRY_SENT 23           /* what was sent counts as safe to retry when the connection is lost */
#ifndef BROKEN
#define BROKEN NOTHING
#endif
#define broken(rule) (BROKEN == rule)

/* What has to be reachable, or the properties hold for want of anything to go wrong. */
#define RERUN 1                 /* a statement is run again, with success */
#define COLLATERAL 2            /* somebody learns that another's cancel hit the statement */
#define HIT_TWICE 3             /* one signal hits two requests */
#define LATE_HIT 4              /* a signal hits after its cancel connection has ended */
#define REPEATED 5              /* the second signal hits the request that it was meant for */
#define HELD_BACK 6             /* a new request waits for the end of a cancel */
#define DROPPED 7               /* an abandoned request is dropped unsent */
#define ABANDONED_BEGIN 8       /* ROLLBACK goes out behind an abandoned first statement */
#define ROLLED_BACK_AGAIN 9     /* a cancelled COMMIT or ROLLBACK leaves the transaction open */
#define ABORTED_COMMIT 10       /* COMMIT is answered by ROLLBACK */
#define COMMITTED 11            /* both statements of the block are committed, the stranger's ran */
#define REFUSED 12              /* a statement waited past the end of its block */
#define DRAIN_ABORTED 13        /* the drain timeout ends the connection and others lose it too */
#define PREPARED_FOR_ALL 14     /* all callers succeed with one Prepare, whose caller may have gone */
#define PREPARED_AGAIN 15       /* the Prepare of another caller failed, and its own succeeds */
#define STRAY_HIT 16            /* a signal whose connection broke off hits long after its cancel */
#define SAFE_TO_RETRY 17        /* the connection is lost with a request that was not sent */
#define NOT_OUR_SIGNAL 18       /* an administrator's signal hits somebody who waits */
#define COLLATERAL_IN_BLOCK 19  /* the same for a statement of the block */
#define COLLATERAL_END 20       /* the same for COMMIT or ROLLBACK */
#ifndef COVER
#define COVER NOTHING
#endif
#define reached(what) check(never_happens, COVER != what)

/* How much of everything. */
#ifndef CAPACITY
#define CAPACITY 1              /* requests, or replies, on the wire, each way */
#endif
#ifndef HIGH_WATER
#define HIGH_WATER 1            /* requests in the output buffer; those beyond it wait unwritten */
#endif
#define MOST_SIGNALS 2
#ifndef SIGNALS
#define SIGNALS MOST_SIGNALS    /* cancel connections, repetitions included */
#endif
#define STRIKES 2               /* requests that one signal may hit */
#ifndef FAILURES
#define FAILURES 1              /* requests that the server refuses for reasons of their own */
#endif
#ifndef LOSS
#define LOSS 0                  /* whether the connection may break at any point */
#endif
#ifndef ADMINISTRATOR
#define ADMINISTRATOR 0         /* signals that were none of ours */
#endif

#define CALLERS 3

/* The requests: the statement of caller c is request[c]; then those of the block, or the Prepares. */
#define END     CALLERS         /* COMMIT, or the first ROLLBACK */
#define AGAIN   (CALLERS + 1)   /* ROLLBACK, where the end left the transaction open */
#define LONELY  (CALLERS + 2)   /* the BEGIN of BEGIN_ALONE */
#define PREPARE_OF(caller) (CALLERS + caller)
#define REQUESTS (CALLERS + 3)
#define NONE 15

mtype:kind = { STATEMENT, CALL, FIRST, BEGIN, COMMIT, ROLLBACK, PREPARE };
mtype:place = { NOWHERE, WAITING, OUTPUT, SENT };
mtype:outcome = { NOT_YET, DONE, TAG_ROLLBACK, FAILED, CANCELED, LOST };
mtype:status = { I, T, E };
mtype:stage = { FREE, OPEN, CLOSING, CLOSED };
mtype:patience = { PATIENT, IMPATIENT, EITHER };
mtype:begun = { UNSENT, UNANSWERED, ANSWERED, NOT_BEGUN };

typedef Request {
    mtype:kind kind;
    mtype:place place = NOWHERE; /* unwritten, in the output buffer, handed to the kernel */
    mtype:outcome outcome = NOT_YET;/* what its waiter learns */
    bool in_block;              /* was asked for inside the block */
    bool discarded;             /* nobody waits for it any more; its reply is read all the same */
    bool exposed;               /* was in the FIFO when a cancel began */
    bool idle;                  /* the transaction status was I before and after it */
    byte safe_from;             /* signals known to be out when it was sent, a bit each */
    byte relies_on = NONE;      /* the Prepare that an Execute belongs to */
};
Request request[REQUESTS];

/* Session */
chan fifo = [REQUESTS] of { byte };      /* written and not answered yet */
chan waiting = [REQUESTS] of { byte };   /* not written yet */
chan output = [HIGH_WATER] of { byte };  /* the end of the FIFO that the kernel has not taken yet */
byte head = NONE;
bool held;
bool lost;
bool was_idle = true;                    /* the last ReadyForQuery said I */

/* Ownership and the statement cache */
mtype:stage block = FREE;
mtype:begun begun = UNSENT;
byte preparing = NONE;                   /* the Prepare on its way */
byte prepared = NONE;                    /* the Prepare that was answered */
byte relying;                            /* callers who wait for `preparing` */
bool over[CALLERS];                      /* the caller has its answer */

/* Canceller */
bool cancelling;
byte target = NONE;
byte signals;                            /* cancel connections so far; the last is the current one */
bool open[MOST_SIGNALS + 1];                  /* the server will close the cancel connection */
bool eof[MOST_SIGNALS + 1];                   /* it has done so */
bool broke_off[MOST_SIGNALS + 1];             /* it was reset: when the signal comes is not known */
bool doubtful;                           /* that has happened: what is sent is exposed from now on */

/* The wire and the server */
chan to_server = [CAPACITY] of { byte };
chan to_client = [CAPACITY] of { byte, mtype:outcome, mtype:status };
mtype:status status = I;
byte strikes[MOST_SIGNALS + 1];               /* requests that a signal on its way may still hit */
byte failures = FAILURES;
byte administrator = ADMINISTRATOR;
bool parsed[REQUESTS];                   /* the statement of that Prepare exists */

/* What only the observer knows */
byte effects[CALLERS];                   /* how often the statement has taken effect for good */
bool pending[CALLERS];                   /* its effect hangs on the transaction */
bool committed;                          /* the transaction of the block */
bool by_administrator[REQUESTS];         /* hit by a signal that was none of ours */

/* The properties, which are all true; pan names the one that is not. */
bool reply_is_the_heads = true;
bool answered_once = true;
bool only_administrators_cancel_others = true;
bool takes_effect_once = true;
bool runs_in_its_own_transaction = true;
bool result_means_done = true;
bool commit_means_committed = true;
bool rollback_means_undone = true;
bool safe_to_retry_means_never_ran = true;
bool executes_what_was_parsed = true;
bool end_means_ended = true;
bool never_happens = true;
#define check(property, condition) property = (condition); assert(property)

/* ------------------------------------------------------------------ Session */

inline new_head() {
    if
    :: len(fifo) > 0 -> fifo?<head>
    :: else -> head = NONE
    fi
}

inline write_waiting() {
    do
    :: len(waiting) > 0 && len(output) < HIGH_WATER && (!held || broken(NO_HOLD)) ->
        waiting?moved;
        fifo!moved;
        output!moved;
        request[moved].place = OUTPUT;
        request[moved].exposed = doubtful;
        new_head()
    :: else -> break
    od;
    moved = 0
}

/* Whatever is new joins the waiting; what does not have to wait is written at once. */
inline submit(r, what, inside, on) {
    request[r].kind = what;
    request[r].in_block = inside;
    request[r].relies_on = on;
    request[r].outcome = NOT_YET;
    request[r].discarded = false;
    request[r].exposed = false;
    request[r].place = WAITING;
    waiting!r;
    if
    :: held -> reached(HELD_BACK)
    :: else
    fi;
    write_waiting()
}

/* The answer, or the end of the connection: whoever waits is told. */
inline complete(r, what) {
    check(answered_once, request[r].outcome == NOT_YET);
    request[r].outcome = what;
    request[r].place = NOWHERE;
    request[r].safe_from = 0
}

/* What nobody will look at again. */
inline forget(r) {
    request[r].exposed = false;
    request[r].discarded = false;
    request[r].idle = false;
    request[r].relies_on = NONE
}

inline drop(r) {
    if
    :: request[r].place == WAITING -> waiting??eval(r)
    :: request[r].place == OUTPUT -> output??eval(r); fifo??eval(r)
    :: else -> fifo??eval(r)  /* only where a rule is broken */
    fi;
    request[r].place = NOWHERE;
    forget(r);
    new_head();
    write_waiting()
}

#define must_stay(r) ((request[r].place == SENT && !broken(DROP_SENT)) \
    || (request[r].kind == COMMIT && !broken(DROP_COMMIT)) || request[r].kind == ROLLBACK)

/* The caller has gone. */
inline discard(r) {
    if
    :: request[r].outcome != NOT_YET
    :: else ->
        if
        :: must_stay(r) -> request[r].discarded = true
        :: else ->
            reached(DROPPED);
            drop(r);
            if
            :: request[r].kind == FIRST && !broken(DROP_BEGIN) -> begun = UNSENT
            :: request[r].kind == FIRST && broken(DROP_BEGIN) -> begun = ANSWERED
            :: else
            fi
        fi
    fi
}

inline empty_all() {
    do :: fifo?_ :: empty(fifo) -> break od;
    do :: waiting?_ :: empty(waiting) -> break od;
    do :: output?_ :: empty(output) -> break od;
    do :: to_server?_ :: empty(to_server) -> break od;
    do :: to_client?_, _, _ :: empty(to_client) -> break od
}

/* The connection is gone: everybody who waits is told. */
inline lose() {
    lost = true;
    for (each : 0 .. REQUESTS - 1) {
        if
        :: request[each].place == NOWHERE
        :: else ->
            if
            :: each < CALLERS && (request[each].place != SENT || broken(RETRY_SENT)) ->
                reached(SAFE_TO_RETRY);
                check(safe_to_retry_means_never_ran, effects[each] == 0 && !pending[each])
            :: else
            fi;
            complete(each, LOST)
        fi
    }
    each = 0;
    empty_all();
    head = NONE;
    held = false;
    cancelling = false;
    target = NONE;
    block = CLOSED;
    preparing = NONE;
    signals = SIGNALS;
    strikes[1] = 0;
    strikes[2] = 0;
    open[1] = false;
    open[2] = false;
    eof[1] = false;
    eof[2] = false;
    broke_off[1] = false;
    broke_off[2] = false;
    doubtful = false;
    failures = 0;
    administrator = 0;
    was_idle = true
}

/* What an answer means to the block that it belongs to. */
inline tell_block(r, now) {
    if
    :: request[r].kind == FIRST && now == I -> begun = NOT_BEGUN
    :: request[r].kind == FIRST && now != I -> begun = ANSWERED
    :: request[r].kind == COMMIT || request[r].kind == ROLLBACK ->
        if
        :: now == I || broken(END_IS_ANSWER) ->
            check(end_means_ended, now == I);
            block = CLOSED
        :: else ->
            reached(ROLLED_BACK_AGAIN);
            submit(AGAIN, ROLLBACK, true, NONE);
            request[AGAIN].discarded = true
        fi
    :: else
    fi
}

inline tell_cache(r) {
    if
    :: request[r].kind == PREPARE && preparing == r ->
        preparing = NONE;
        if
        :: request[r].outcome == DONE -> prepared = r
        :: else
        fi
    :: else
    fi
}

/* Those known to be out that find nothing to hit: what is sent from now on is safe from them. */
inline signals_are_lost() {
    if
    :: eof[1] -> strikes[1] = 0
    :: else
    fi;
    if
    :: eof[2] -> strikes[2] = 0
    :: else
    fi
}

/* feed(): what the server sends belongs to the head. */
proctype reader() {
    byte r, moved;
    mtype:outcome said = NOT_YET;
    mtype:status now = I;
end:
    do
    :: atomic { !lost && nempty(to_client) && (empty(output) || !broken(BLOCKING_SEND)) ->
        to_client?r, said, now;
        check(reply_is_the_heads, r == head);
        fifo?_;
        new_head();
        request[r].idle = was_idle && now == I;
        was_idle = (now == I);
        complete(r, said);
        if
        :: request[r].discarded -> forget(r)
        :: else
        fi;
        tell_block(r, now);
        tell_cache(r);
        if
        :: head == NONE -> signals_are_lost()
        :: else
        fi;
        r = 0;
        said = NOT_YET;
        now = I
      }
    :: lost -> break
    od
}

/* Stream: the kernel takes the output buffer in order, while there is room on the wire. */
proctype sender() {
    byte r, moved;
end:
    do
    :: atomic { nempty(output) && nfull(to_server) ->
        output?r;
        request[r].place = SENT;
        request[r].safe_from = (eof[1] && strikes[1] > 0) + 2 * (eof[2] && strikes[2] > 0);
        to_server!r;
        write_waiting();
        r = 0
      }
    :: lost -> break
    od
}

/* ------------------------------------------------------------------ Canceller */

#define abandoned_head (head != NONE && request[head].discarded)
/* What ends a block is never cancelled; only the drain timeout is for it too. */
#define ends_block(r) (request[r].kind == COMMIT || request[r].kind == ROLLBACK)
#define may_be_cancelled(r) (request[r].place == SENT && !ends_block(r))
#define attempt_is_over (eof[signals] || broke_off[signals])

/*
 * The server sends its signal, or none, before it closes the cancel connection; or it is frozen and
 * does not close it, or the connection breaks off, and a signal may come of it all the same.
 */
inline send_cancel_request() {
    signals++;
    if
    :: strikes[signals] = STRIKES
    :: skip
    fi;
    if
    :: open[signals] = true
    :: broke_off[signals] = true; doubtful = !broken(LOST_IS_EOF)
    :: skip
    fi
}

inline drain_is_over() {
    for (each : 0 .. REQUESTS - 1) {
        if
        :: request[each].place != NOWHERE && !request[each].discarded -> reached(DRAIN_ABORTED)
        :: else
        fi
    }
    each = 0
}

/* When it begins is a matter of the grace; that it may begin at any time includes every grace. */
proctype canceller() {
    byte each, moved;
end:
    do
    :: atomic { !cancelling && signals < SIGNALS && abandoned_head && may_be_cancelled(head) ->
        cancelling = true;
        held = true;
        target = head;
        for (each : 0 .. REQUESTS - 1) {
            if
            :: request[each].place == SENT ||
               (request[each].place == OUTPUT && !broken(EXPOSED_IF_SENT)) ->
                request[each].exposed = true
            :: else
            fi
        }
        each = 0;
        send_cancel_request()
      }
    :: atomic { open[1] -> open[1] = false; eof[1] = true }
    :: atomic { open[2] -> open[2] = false; eof[2] = true }
    :: atomic { cancelling && request[target].outcome == NOT_YET && signals < SIGNALS &&
                (attempt_is_over || broken(TWO_CANCELS)) ->
        send_cancel_request()
      }
    :: atomic { cancelling && request[target].outcome != NOT_YET &&
                (attempt_is_over || broken(NO_EOF)) ->
        cancelling = false;
        held = false;
        target = NONE;
        write_waiting()
      }
    :: atomic { !broken(NO_DRAIN_TIMEOUT) && !lost && (cancelling || abandoned_head) ->
        drain_is_over();
        lose()
      }
    :: lost -> break
    od
}

/* ------------------------------------------------------------------ the server */

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

#define replies (!lost && nfull(to_client))

inline reply(r) {
    to_client!r, result, status;
    r = 0;
    result = NOT_YET
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

/* ------------------------------------------------------------------ the callers */

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
    :: else
    fi
}

/* Several callers of one statement: the first sends its Prepare, the others wait for that. */
proctype sharer(byte c; mtype:patience is) {
    byte moved, prepare = NONE;
    bool patient, again;
    choose(is);
turn:
    if
    :: atomic { !lost && prepared != NONE -> submit(c, STATEMENT, false, prepared); goto answer }
    :: atomic { !lost && prepared == NONE && preparing == NONE ->
        prepare = PREPARE_OF(c);
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
        :: prepare == PREPARE_OF(c) && request[prepare].outcome == CANCELED ->
            canceled(prepare);
            goto done
        :: prepare == PREPARE_OF(c) && request[prepare].outcome == FAILED -> goto done
        :: else -> prepare = NONE; goto turn
        fi
      }
    :: atomic { !patient ->
        if
        :: preparing == prepare -> relying--
        :: else
        fi;
        if
        :: preparing == prepare && (relying == 0 || (prepare == PREPARE_OF(c) && broken(DROP_PARSE))) ->
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

init {
    atomic {
        run reader();
        run sender();
        run server();
#if LOSS
        run network();
#endif
#if CALLERS_OF != FLOW
        run canceller();
#endif
#if CALLERS_OF == SHARED
        run stranger(0, true, IMPATIENT);
        run stranger(1, true, PATIENT);
        run stranger(2, false, EITHER)
#elif CALLERS_OF == BLOCK
        run owner(EITHER);
        run member(0, IMPATIENT);
        run member(1, PATIENT);
        run stranger(2, true, PATIENT)
#elif CALLERS_OF == TURNS
        run owner(PATIENT);
        run member(0, IMPATIENT);
        run stranger(1, true, IMPATIENT);
        run stranger(2, true, PATIENT)
#elif CALLERS_OF == FAMILY
        run owner(PATIENT);
        run member(0, PATIENT);
        run member(1, IMPATIENT);
        run member(2, PATIENT)
#elif CALLERS_OF == PREPARING
        run sharer(0, IMPATIENT);
        run sharer(1, EITHER)
#elif CALLERS_OF == FLOW
        run stranger(0, true, PATIENT);
        run stranger(1, true, PATIENT);
        run stranger(2, true, PATIENT)
#endif
    }
}
