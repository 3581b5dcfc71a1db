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
#define NO_EOF 2                /* the hold ends with the head, before its signal is known out */
#define LOST_IS_EOF 3           /* a cancel connection that broke off counts as ended */
#define TWO_CANCELS 4           /* a cancel is repeated before the one before it has ended */
#define NO_WINDOW 5             /* every QueryCanceledError is handed to the caller as it is */
#define EXPOSED_IF_SENT 6       /* what is still in the output buffer is not marked */
#define RERUN_ANY 7             /* what is not harmless is run again too */
#define RERUN_IN_TRANSACTION 8  /* what was cancelled in a block is run again all the same */
#define RERUN_AT_ONCE 9         /* a rerun does not wait for its turn */
#define BEGIN_ALONE 10          /* BEGIN has its own Sync, and the statement does not wait for it */
#define COMMIT_BEHIND_BEGIN 11  /* COMMIT does not wait for the first statement's answer */
#define NO_ROLLBACK 12          /* a block whose BEGIN is on the wire is left without one */
#define DROP_BEGIN 13           /* a dropped BEGIN counts as sent */
#define DROP_COMMIT 14          /* an abandoned COMMIT that was not sent is dropped */
#define RELEASE_EARLY 15        /* the block lets others in when its end is sent */
#define END_IS_ANSWER 16        /* ... when its end is answered, whatever the answer */
#define LATE_JOIN 17            /* a statement that waited past its block's end runs all the same */
#define DROP_SENT 18            /* an abandoned request leaves the FIFO although it was sent */
#define DROP_PARSE 19           /* a Prepare that others rely on is dropped with its caller */
#define EXECUTE_EARLY 20        /* an Execute does not wait for its Prepare */
#define NO_DRAIN_TIMEOUT 21     /* an abandoned request may take for ever */
#define BLOCKING_SEND 22        /* nothing is read while there is something to send */
#define RETRY_SENT 23           /* what was sent counts as safe to retry after a loss */
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
#define PREPARED_FOR_ALL 14     /* all callers succeed with one Prepare */
#define PREPARED_AGAIN 15       /* the Prepare of another caller failed, and its own succeeds */
#define STRAY_HIT 16            /* a signal whose connection broke off hits long after its cancel */
#define SAFE_TO_RETRY 17        /* the connection is lost with a request that was not sent */
#define NOT_OUR_SIGNAL 18       /* an administrator's signal hits somebody who waits */
#define COLLATERAL_IN_BLOCK 19  /* the same for a statement of the block */
#define COLLATERAL_END 20       /* the same for COMMIT or ROLLBACK */
#define PREPARE_RERUN 21        /* a Prepare hit by another's cancel is run again, with success */
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

/* The requests: first the callers' statements; then those of the block, or the Prepares. */
#define END     CALLERS         /* COMMIT, or the first ROLLBACK */
#define AGAIN   (CALLERS + 1)   /* ROLLBACK, where the end left the transaction open */
#define LONELY  (CALLERS + 2)   /* the BEGIN of BEGIN_ALONE */
#define PREPARE_OF(caller) (CALLERS + caller)
#define SPARE   (CALLERS + 2)   /* a Prepare that is run again */
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
bool spare_taken;
bool over[CALLERS];                      /* the caller has its answer */

/* Canceller */
bool cancelling;
byte target = NONE;
byte signals;                            /* cancel connections so far */
bool open[MOST_SIGNALS + 1];                  /* the server will close the cancel connection */
bool eof[MOST_SIGNALS + 1];                   /* it has done so */
bool broke_off[MOST_SIGNALS + 1];             /* it was reset: when the signal comes is not known */
bool doubtful;                           /* that was so: what is written is exposed */

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

#include "session.pml"
#include "canceller.pml"
#include "server.pml"
#include "callers.pml"

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
