/* Session and Stream: what is written, dropped, read for nobody; the turns of a FIFO; the loss. */

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
    printf("request %d is submitted\n", r);
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
    printf("request %d is dropped\n", r);
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
        :: must_stay(r) ->
            printf("request %d is abandoned\n", r);
            request[r].discarded = true
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
    printf("the connection is lost\n");
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
        printf("request %d has its answer: %e, status %e\n", r, said, now);
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
        printf("request %d is sent\n", r);
        request[r].place = SENT;
        request[r].safe_from = (eof[1] && strikes[1] > 0) + 2 * (eof[2] && strikes[2] > 0);
        to_server!r;
        write_waiting();
        r = 0
      }
    :: lost -> break
    od
}
