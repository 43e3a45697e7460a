/*
 * The ring: one writer, many readers, one copy of the audio.
 *
 * A ring holds the newest frames of one timeline in memory that is mapped twice in a row, so that
 * every view of it is one contiguous pointer. Positions are 64-bit frame counts that start at 0,
 * never wrap and never go back. One thread at a time holds the writer; up to KODAMA_CURSORS_MAX
 * cursors read, each on its own, each at its own pace:
 *
 *   - a lossless cursor holds the writer back (files, sockets, pipes);
 *   - a lossy cursor is lapped, and its next read says exactly how many frames it lost and where.
 *
 * Marks travel beside the frames and say what happened to the timeline: gaps, silence, clock
 * changes.
 *
 * Waiting readers are parked in the kernel. A writer pays for a wake only when somebody is parked
 * at a position that it has just passed.
 *
 * Timeouts are in nanoseconds: 0 does not wait, KODAMA_FOREVER has no limit.
 */
#ifndef KODAMA_RING_H
#define KODAMA_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kodama/api.h>
#include <kodama/format.h>
#include <kodama/status.h>
#include <kodama/waitable.h>

struct kodama_ring;
struct kodama_cursor;

enum { KODAMA_CURSORS_MAX = 64 };

/* ---------------------------------------------------------------- the ring */

struct kodama_ring_config {
    size_t size;                 /**< sizeof this struct, set by KODAMA_RING_CONFIG_INIT */
    struct kodama_format format; /**< of every frame; must be valid */
    uint64_t capacity_frames;    /**< frames to keep at least; 0: use capacity_seconds */
    double capacity_seconds;     /**< seconds to keep at least; both 0: 2 s */
    uint32_t n_marks;            /**< marks to keep at least; 0: 1024 */
    bool live;     /**< the writer cannot wait: refuse lossless cursors with KODAMA_ERR_LIVE */
    bool prefault; /**< touch all pages now, so that the writer never faults (capture) */
};
#define KODAMA_RING_CONFIG_INIT                   \
    {                                             \
        .size = sizeof(struct kodama_ring_config) \
    }

/**
 * Create a ring.
 *
 * The capacity is rounded up to a whole number of pages and frames; ask kodama_ring_capacity().
 *
 * @param[out] ring    the ring, owned by the caller; NULL on error
 * @param config       borrowed for the call
 * @param[out] error   may be NULL
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_FORMAT, KODAMA_ERR_LIMIT (larger than 4 GiB),
 *         KODAMA_ERR_MEMORY or KODAMA_ERR_SYSTEM
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_ring_create(struct kodama_ring **ring,
                                  const struct kodama_ring_config *config,
                                  struct kodama_error *error) KODAMA_MUST_USE;

/**
 * Destroy a ring. Every cursor must have been closed and no writer be in use; NULL is allowed.
 *
 * Thread: owner. Real-time safe: no.
 */
KODAMA_API void kodama_ring_destroy(struct kodama_ring *ring);

/**
 * End the timeline: writers get KODAMA_ERR_CLOSED, readers drain what is there and then get
 * KODAMA_ERR_CLOSED. Wakes everybody. Closing twice is allowed. A stream that is started again
 * opens its ring again: the timeline goes on where it ended, for cursors that came to the end, too.
 *
 * Thread: any. Real-time safe: yes, may wake.
 */
KODAMA_API void kodama_ring_close(struct kodama_ring *ring);

/** The format of every frame. Thread: any. Real-time safe: yes. */
KODAMA_API struct kodama_format kodama_ring_format(const struct kodama_ring *ring);

/** Frames that the ring keeps; at least what was asked for. Thread: any. Real-time safe: yes. */
KODAMA_API uint64_t kodama_ring_capacity(const struct kodama_ring *ring);

/** Position after the newest readable frame = frames written so far. Thread: any. Real-time safe:
 * yes. */
KODAMA_API uint64_t kodama_ring_position(const struct kodama_ring *ring);

/** Position of the oldest frame that can still be read. Thread: any. Real-time safe: yes. */
KODAMA_API uint64_t kodama_ring_oldest(const struct kodama_ring *ring);

/** Whether kodama_ring_close() was called. Thread: any. Real-time safe: yes. */
KODAMA_API bool kodama_ring_is_closed(const struct kodama_ring *ring);

/** Counters of a ring; each is exact, together they are a snapshot without a lock. */
struct kodama_ring_stats {
    uint64_t capacity_frames; /**< frames kept */
    uint64_t capacity_bytes;  /**< bytes of audio memory (counted once although mapped twice) */
    uint64_t frames_written;  /**< position of the writer */
    uint64_t writes;          /**< commits that published at least one frame */
    uint64_t wakes;           /**< system calls made to wake parked readers */
    uint64_t marks_written;   /**< marks published */
    uint64_t gap_frames;      /**< sum of the lengths of marks flagged KODAMA_MARK_GAP */
    uint64_t silent_frames;   /**< sum of the lengths of marks flagged KODAMA_MARK_SILENT */
    uint32_t n_cursors;       /**< cursors open now */
    uint32_t n_lossless;      /**< of which lossless */
};

/** Read the counters of a ring. Thread: any. Real-time safe: yes. */
KODAMA_API void kodama_ring_stats(const struct kodama_ring *ring, struct kodama_ring_stats *stats);

/* -------------------------------------------------------------- the writer */

/**
 * The right to write to a ring. It lives where the caller puts it, costs no memory, and must not be
 * copied. Fields are the library's. The role is handed over by releasing it and claiming it
 * elsewhere: a thread that lost its device releases, and a timer thread claims and writes silence.
 */
struct kodama_writer {
    struct kodama_ring *ring;
    uint64_t ticket;
};

/** Several blocks for one write. */
struct kodama_span {
    const void *frames; /**< interleaved, in the ring's format; NULL means silence */
    size_t n_frames;
};

/**
 * Become the writer of a ring.
 *
 * @param[out] writer  filled in; release it with kodama_writer_release()
 * @param ring         borrowed until the release
 * @return KODAMA_OK, KODAMA_ERR_BUSY (somebody else is the writer), KODAMA_ERR_CLOSED
 *
 * Thread: any; the writer then belongs to the calling thread. Real-time safe: yes.
 */
KODAMA_API int kodama_writer_claim(struct kodama_writer *writer,
                                   struct kodama_ring *ring) KODAMA_MUST_USE;

/**
 * Give the writer role back. A pending reservation is dropped. A writer that is not held is
 * allowed. Every call with a released writer answers KODAMA_ERR_STATE.
 *
 * Thread: writer. Real-time safe: yes.
 */
KODAMA_API void kodama_writer_release(struct kodama_writer *writer);

/**
 * Append frames.
 *
 * With lossless cursors it writes what fits, waiting for them as long as `timeout_ns` allows;
 * without them it never waits and always takes all. A write larger than the capacity is allowed:
 * the position moves by n_frames, the last `capacity` frames are kept, and lossy cursors are told
 * the rest as lost; lossless cursors receive all of it, in parts, while the call waits.
 *
 * @param writer      held by the calling thread
 * @param frames      interleaved [n_frames][channels] in the ring's format; NULL writes silence
 * @param n_frames    how many; 0 is allowed and returns 0
 * @param timeout_ns  how long to wait for lossless cursors in all
 * @return frames written, >= 1 and <= n_frames (fewer: the time passed, or the ring was closed
 * meanwhile), or KODAMA_ERR_FULL      timeout_ns is 0 and there is no room for one frame
 *         KODAMA_ERR_TIMEOUT   no room for one frame in time
 *         KODAMA_ERR_CLOSED    the ring is closed
 *         KODAMA_ERR_STATE     the writer was released
 *         KODAMA_ERR_ARGUMENT
 *
 * Thread: writer. Real-time safe: yes, may wake, when no lossless cursor is full or timeout_ns is
 * 0.
 */
KODAMA_API int64_t kodama_writer_write(struct kodama_writer *writer, const void *frames,
                                       size_t n_frames, int64_t timeout_ns);

/**
 * Append several blocks as one write: one publication, one wake at the most.
 * Same results as kodama_writer_write() of their concatenation.
 *
 * Thread: writer. Real-time safe: as kodama_writer_write().
 */
KODAMA_API int64_t kodama_writer_write_batch(struct kodama_writer *writer,
                                             const struct kodama_span *spans, size_t n_spans,
                                             int64_t timeout_ns);

/**
 * Reserve contiguous space for writing in place. What was there is lost to lossy cursors from now
 * on. A second reservation replaces the first.
 *
 * @param writer      held by the calling thread
 * @param n_frames    frames wanted, 1..kodama_ring_capacity()
 * @param[out] frames interleaved [n_frames][channels] in the ring's format, valid until commit
 * @return n_frames, or
 *         KODAMA_ERR_FULL    fewer than n_frames free; nothing reserved
 *         KODAMA_ERR_CLOSED  the ring is closed
 *         KODAMA_ERR_STATE   the writer was released
 *         KODAMA_ERR_ARGUMENT
 *
 * Thread: writer. Real-time safe: yes.
 */
KODAMA_API int64_t kodama_writer_reserve(struct kodama_writer *writer, size_t n_frames,
                                         void **frames);

/**
 * Publish the first `n_frames` of the reservation; the rest is given back.
 *
 * @param writer    held by the calling thread
 * @param n_frames  0..frames reserved
 * @return n_frames, or KODAMA_ERR_ARGUMENT (more than reserved), KODAMA_ERR_CLOSED,
 * KODAMA_ERR_STATE
 *
 * Thread: writer. Real-time safe: yes, may wake.
 */
KODAMA_API int64_t kodama_writer_commit(struct kodama_writer *writer, size_t n_frames);

/** Frames that can be written now without waiting and without overrunning a lossless cursor.
 *  Thread: writer. Real-time safe: yes. */
KODAMA_API uint64_t kodama_writer_space(const struct kodama_writer *writer);

/* --------------------------------------------------------------- the marks */

enum kodama_mark_flag {
    KODAMA_MARK_GAP = 1 << 0,    /**< `length` frames are missing; silence stands in their place */
    KODAMA_MARK_SILENT = 1 << 1, /**< the source said that `length` frames are silence */
    KODAMA_MARK_CLOCK =
        1 << 2, /**< the source's clock changed here (another device, another driver) */
    KODAMA_MARK_TIME =
        1 << 3, /**< only a timestamp: the frame at `position` was heard at `time_ns` */
};

/** Something that is true of a place on the timeline. */
struct kodama_mark {
    uint64_t position; /**< first frame that it is about */
    uint64_t length;   /**< frames that it covers; 0 for a point */
    uint64_t time_ns;  /**< monotonic time of the first frame, 0 if not known */
    uint32_t flags;    /**< bits of enum kodama_mark_flag */
    uint32_t reserved; /**< 0 */
};

/**
 * Publish a mark. Marks are published in order of position, before the frames they are about are
 * committed, so that a reader of the frames finds them.
 *
 * @param writer  held by the calling thread
 * @param mark    position >= that of the previous mark, flags not 0
 * @return KODAMA_OK, KODAMA_ERR_ARGUMENT, KODAMA_ERR_CLOSED or KODAMA_ERR_STATE
 *
 * Thread: writer. Real-time safe: yes.
 */
KODAMA_API int kodama_writer_mark(struct kodama_writer *writer, const struct kodama_mark *mark);

/**
 * Find the marks that touch the frames [first, first + n_frames).
 *
 * A mark touches them when its first frame lies inside, or when its length reaches into them.
 *
 * @param ring        the ring
 * @param first       position of the first frame
 * @param n_frames    how many
 * @param[out] marks  in order of position
 * @param max_marks   room in `marks`
 * @param[out] n_lost may be NULL; not 0 if marks that may have been about these frames were
 * overwritten
 * @return how many marks there are; may exceed max_marks, then only the first max_marks were stored
 *
 * Thread: any. Real-time safe: yes.
 */
KODAMA_API int kodama_ring_marks(const struct kodama_ring *ring, uint64_t first, uint64_t n_frames,
                                 struct kodama_mark *marks, size_t max_marks, uint64_t *n_lost);

/* ------------------------------------------------------------- the cursors */

/** Where a cursor starts. */
enum kodama_start {
    KODAMA_START_NOW = 0, /**< at the writer: the next frame written is the first one read */
    KODAMA_START_OLDEST,  /**< at the oldest frame that the ring still has */
    KODAMA_START_AT,      /**< at start_position; clamped to what there is */
};

struct kodama_cursor_config {
    size_t size;               /**< sizeof this struct, set by KODAMA_CURSOR_CONFIG_INIT */
    bool lossless;             /**< hold the writer back rather than lose frames */
    enum kodama_start start;   /**< where to begin */
    uint64_t start_position;   /**< with KODAMA_START_AT */
    uint64_t watermark_frames; /**< be woken when this many frames can be read; 0 and 1: any */
    uint32_t spin_ns;          /**< look again, every 1 to 5 us, for so long before parking; 0: park
                                    at once */
};
#define KODAMA_CURSOR_CONFIG_INIT                   \
    {                                               \
        .size = sizeof(struct kodama_cursor_config) \
    }

/** What a read found on its way. */
struct kodama_read {
    uint64_t position; /**< of the first frame delivered */
    uint64_t lost; /**< frames [position - lost, position) were overwritten before this cursor read
                      them */
};

/**
 * Open a cursor.
 *
 * @param[out] cursor  owned by the caller; NULL on error
 * @param ring         must outlive the cursor
 * @param config       borrowed for the call; NULL: a lossy cursor from now on
 * @return KODAMA_OK, KODAMA_ERR_LIVE (lossless on a live ring), KODAMA_ERR_LIMIT (64 are open),
 *         KODAMA_ERR_ARGUMENT, KODAMA_ERR_MEMORY
 *
 * Opening on a closed ring is allowed: it drains what is there.
 *
 * Thread: any. Real-time safe: no.
 */
KODAMA_API int kodama_cursor_open(struct kodama_cursor **cursor, struct kodama_ring *ring,
                                  const struct kodama_cursor_config *config) KODAMA_MUST_USE;

/**
 * Close a cursor. A writer that waits for it goes on. NULL is allowed.
 *
 * Thread: reader. Real-time safe: no.
 */
KODAMA_API void kodama_cursor_close(struct kodama_cursor *cursor);

/**
 * Copy frames out and move past them.
 *
 * Waits until the watermark (or the whole of a smaller `max_frames`) can be read, the time has
 * passed or the ring is closed, then takes what is there. Ends a view and a chunk.
 *
 * A lossy cursor that was lapped goes on at the oldest frame that was whole when it was copied. If
 * the writer overtakes a whole copy, the cursor gives up a part of the ring (1/16, then more) to
 * get ahead of it; those frames count as lost, too.
 *
 * @param cursor        used by one thread at a time
 * @param[out] frames   interleaved [max_frames][channels] in the ring's format
 * @param max_frames    1 or more
 * @param timeout_ns    how long to wait
 * @param[out] info     may be NULL; position of the first frame and frames lost before it
 * @return frames read, 1..max_frames, or
 *         KODAMA_ERR_EMPTY    timeout_ns is 0 and there is nothing
 *         KODAMA_ERR_TIMEOUT  nothing came in time
 *         KODAMA_ERR_CLOSED   the ring is closed and all of it was read
 *         KODAMA_ERR_CANCELLED  interrupted, see kodama_cursor_interrupt()
 *         KODAMA_ERR_ARGUMENT
 *
 * Thread: reader. Real-time safe: yes when timeout_ns is 0.
 */
KODAMA_API int64_t kodama_cursor_read(struct kodama_cursor *cursor, void *frames, size_t max_frames,
                                      int64_t timeout_ns, struct kodama_read *info);

/**
 * Copy frames out and stay. Same results as kodama_cursor_read() with timeout 0; frames that were
 * lost before the peek are told here or (info NULL) at the next read, never twice and never not at
 * all. Ends a view and a chunk.
 *
 * Thread: reader. Real-time safe: yes.
 */
KODAMA_API int64_t kodama_cursor_peek(struct kodama_cursor *cursor, void *frames, size_t max_frames,
                                      struct kodama_read *info);

/**
 * Look at frames in place, without a copy. A second call replaces the first view.
 *
 * @param cursor        used by one thread at a time
 * @param n_frames      frames wanted, 1..kodama_ring_capacity(); waits until all of them are there
 * @param timeout_ns    how long to wait
 * @param[out] frames   interleaved, valid until release; of a lossy cursor the writer may overwrite
 * it meanwhile, which release reports
 * @param[out] info     may be NULL
 * @return frames in the view: n_frames, or fewer when the ring was closed, or
 *         KODAMA_ERR_EMPTY, KODAMA_ERR_TIMEOUT, KODAMA_ERR_CLOSED, KODAMA_ERR_CANCELLED,
 *         KODAMA_ERR_ARGUMENT
 *
 * Thread: reader. Real-time safe: yes when timeout_ns is 0.
 */
KODAMA_API int64_t kodama_cursor_acquire(struct kodama_cursor *cursor, size_t n_frames,
                                         int64_t timeout_ns, const void **frames,
                                         struct kodama_read *info);

/**
 * End a view and move `n_frames` on.
 *
 * @param cursor    used by one thread at a time
 * @param n_frames  0..frames in the view
 * @return n_frames, or
 *         KODAMA_ERR_LAPPED    part of the view was overwritten before this call: what was computed
 * from it is void. The cursor moved on by n_frames all the same; the frames [position, position +
 * n_frames) count as lost in kodama_cursor_lost(). KODAMA_ERR_STATE     there is no view
 *         KODAMA_ERR_ARGUMENT  more than the view holds
 *
 * Thread: reader. Real-time safe: yes, may wake (a writer that waits).
 */
KODAMA_API int64_t kodama_cursor_release(struct kodama_cursor *cursor, size_t n_frames);

/**
 * Move forward without reading. What was overwritten before is lost, not skipped; a loss that no
 * read has told is from here on only in kodama_cursor_lost(). The same goes for seek and clear; all
 * three end a view and a chunk.
 *
 * @param cursor    used by one thread at a time
 * @param n_frames  frames to skip; more than there are skips to the writer
 * @return frames skipped
 *
 * Thread: reader. Real-time safe: yes, may wake.
 */
KODAMA_API int64_t kodama_cursor_skip(struct kodama_cursor *cursor, uint64_t n_frames);

/**
 * Move to a position, also into the past as far as the ring reaches. Frames jumped over are not
 * lost, frames overwritten before are. A lossless cursor may go back only over frames that the ring
 * still holds safely.
 *
 * @param cursor    used by one thread at a time
 * @param position  wanted; clamped to [kodama_ring_oldest(), kodama_ring_position()]
 * @return the position taken
 *
 * Thread: reader. Real-time safe: yes, may wake.
 */
KODAMA_API uint64_t kodama_cursor_seek(struct kodama_cursor *cursor, uint64_t position);

/** Skip to the writer: everything readable now is dropped by choice, not lost. Returns frames
 * skipped. Thread: reader. Real-time safe: yes, may wake. */
KODAMA_API uint64_t kodama_cursor_clear(struct kodama_cursor *cursor);

/** Position of the next frame to read. Thread: any. Real-time safe: yes. */
KODAMA_API uint64_t kodama_cursor_position(const struct kodama_cursor *cursor);

/** Frames that can be read now; frames already overwritten do not count. Thread: any. Real-time
 * safe: yes. */
KODAMA_API uint64_t kodama_cursor_available(const struct kodama_cursor *cursor);

/** Frames that can still be written before this cursor is full (lossless) or loses some (lossy).
 *  Thread: any. Real-time safe: yes. */
KODAMA_API uint64_t kodama_cursor_remaining(const struct kodama_cursor *cursor);

/** Whether nothing can be read now. Thread: any. Real-time safe: yes. */
KODAMA_API bool kodama_cursor_is_empty(const struct kodama_cursor *cursor);

/** Whether the cursor is a whole capacity behind the writer. Thread: any. Real-time safe: yes. */
KODAMA_API bool kodama_cursor_is_full(const struct kodama_cursor *cursor);

/** Frames this cursor has lost since it was opened, told and not yet told. Thread: any. Real-time
 * safe: yes. */
KODAMA_API uint64_t kodama_cursor_lost(const struct kodama_cursor *cursor);

/** The ring that a cursor reads. Thread: any. Real-time safe: yes. */
KODAMA_API struct kodama_ring *kodama_cursor_ring(const struct kodama_cursor *cursor);

/**
 * Wait until the watermark is reached (or one frame, where none was set) or the ring is closed.
 *
 * @return KODAMA_OK, KODAMA_ERR_TIMEOUT, KODAMA_ERR_CANCELLED, or KODAMA_ERR_CLOSED (closed and all
 * read)
 *
 * Thread: reader. Real-time safe: no.
 */
KODAMA_API int kodama_cursor_wait(struct kodama_cursor *cursor, int64_t timeout_ns);

/** Change the watermark; 0 and 1 mean any frame. Values above the capacity are clamped to it.
 *  Thread: reader. Real-time safe: yes. */
KODAMA_API void kodama_cursor_set_watermark(struct kodama_cursor *cursor, uint64_t n_frames);

/** Wake this cursor's reader out of any wait: it returns KODAMA_ERR_CANCELLED, once, also when it
 * was not waiting yet. Only calls with a timeout other than 0 are waits, and they look at the
 * interrupt before the data. A waitable is signalled, too. Thread: any. Real-time safe: yes, may
 * wake. */
KODAMA_API void kodama_cursor_interrupt(struct kodama_cursor *cursor);

/**
 * A waitable that is signalled while the watermark is reached or the ring is closed.
 *
 * It is created by the first call; the writer then pays for signalling it as for waking a parked
 * reader. After it fired, it is cleared by the next call on the cursor that finds less than the
 * watermark. Like all such things it may fire once too often: look with timeout 0, wait again.
 *
 * @param cursor         used by one thread at a time
 * @param[out] waitable  valid until the cursor is closed
 * @return KODAMA_OK or KODAMA_ERR_SYSTEM
 *
 * Thread: reader. Real-time safe: no.
 */
KODAMA_API int kodama_cursor_waitable(struct kodama_cursor *cursor,
                                      struct kodama_waitable *waitable);

/* -------------------------------------------------------------- the chunks */

/** A view of `n_frames` frames and of the `n_overlap` frames that follow them. */
struct kodama_chunk {
    const void
        *frames; /**< interleaved [n_frames + n_overlap][channels], valid until the next call */
    uint64_t sequence;  /**< counts the chunks of this cursor, from 0 */
    uint64_t position;  /**< of the first frame */
    uint32_t n_frames;  /**< frames to process; fewer than asked for only after close */
    uint32_t n_overlap; /**< frames that follow; fewer than asked for only after close */
    uint64_t lost;      /**< frames lost just before this chunk */
    bool is_last; /**< the ring is closed and nothing comes after the n_frames of this chunk */
};

/**
 * Get the next chunk, in place. Until kodama_cursor_advance() the same chunk is returned again.
 *
 * Waits for n_frames + n_overlap frames. After close the tail is shorter: first the overlap
 * shrinks, then the chunk, and the one that ends at the end of the timeline is `is_last`.
 *
 * @param cursor      used by one thread at a time
 * @param n_frames    frames per chunk, 1 or more
 * @param n_overlap   frames of overlap, 0..n_frames; together at most the capacity
 * @param timeout_ns  how long to wait
 * @param[out] chunk  the chunk
 * @return frames in the chunk without overlap, or KODAMA_ERR_EMPTY, KODAMA_ERR_TIMEOUT,
 * KODAMA_ERR_CLOSED, KODAMA_ERR_CANCELLED, KODAMA_ERR_ARGUMENT (no frames, overlap larger than the
 * chunk, or both larger than the ring)
 *
 * Thread: reader. Real-time safe: yes when timeout_ns is 0.
 */
KODAMA_API int64_t kodama_cursor_chunk(struct kodama_cursor *cursor, uint32_t n_frames,
                                       uint32_t n_overlap, int64_t timeout_ns,
                                       struct kodama_chunk *chunk);

/**
 * Say that the chunk was processed: move on by its n_frames (not by its overlap).
 *
 * @return frames moved, or KODAMA_ERR_LAPPED (part of the chunk was overwritten meanwhile; moved
 * all the same, counted as lost), or KODAMA_ERR_STATE (there is no chunk)
 *
 * Thread: reader. Real-time safe: yes, may wake.
 */
KODAMA_API int64_t kodama_cursor_advance(struct kodama_cursor *cursor);

#endif
