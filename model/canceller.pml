/* Canceller: sees that nobody waits for an abandoned request longer than needed. */

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
    fi;
    printf("cancel connection %d: its signal may hit %d requests\n", signals, strikes[signals]);
    if
    :: broke_off[signals] -> printf("cancel connection %d breaks off\n", signals)
    :: else
    fi
}

inline close(k) {
    printf("cancel connection %d has ended\n", k);
    open[k] = false;
    eof[k] = true
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
        printf("request %d is cancelled: all that is written is exposed\n", head);
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
    :: atomic { open[1] -> close(1) }
    :: atomic { open[2] -> close(2) }
    :: atomic { cancelling && request[target].outcome == NOT_YET && signals < SIGNALS &&
                (attempt_is_over || broken(TWO_CANCELS)) ->
        send_cancel_request()
      }
    :: atomic { cancelling && request[target].outcome != NOT_YET &&
                (attempt_is_over || broken(NO_EOF)) ->
        printf("the hold ends\n");
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
