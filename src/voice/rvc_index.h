/*
 * Index: the features of the voice that a model was trained on, so that those of another speaker
 * can be drawn towards them (retrieval).
 *
 * A plain file, little-endian: "KODAMAVI", u32 version (1), u32 dims, u32 n_lists, u32 n_probes,
 * u64 n_vectors; f32 centres[n_lists][dims]; u64 ends[n_lists], of each list's vectors;
 * f32 vectors[n_vectors][dims], list by list. It is mapped, not read: what several sessions and
 * processes use of it is in memory once. A search looks through the n_probes lists whose centres
 * are nearest; with one list it looks through everything.
 *
 * rvc_index_write() makes one: from numpy's .npy (f4 or f2, two dimensions; as a trainer's
 * total_fea.npy) or from an index of faiss of the kind IVF-Flat (trained_IVF…_Flat….index), whose
 * format is read here, so that no other library is needed.
 */
#ifndef VOICE_RVC_INDEX_H
#define VOICE_RVC_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include <kodama/status.h>

enum { RVC_NEIGHBOURS = 8 };

struct rvc_index;

/**
 * Open a plain index file.
 *
 * @param[out] index  to be closed
 * @param dims        expected; 0: whatever it has
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND, KODAMA_ERR_PERMISSION, KODAMA_ERR_IO,
 *         KODAMA_ERR_CORRUPT (no such index, or cut short), KODAMA_ERR_FORMAT (other dimensions),
 *         KODAMA_ERR_MEMORY
 */
int rvc_index_open(struct rvc_index **index, const char *path, uint32_t dims,
                   struct kodama_error *error);

/** NULL is allowed. */
void rvc_index_close(struct rvc_index *index);

uint32_t rvc_index_dims(const struct rvc_index *index);
uint64_t rvc_index_vectors(const struct rvc_index *index);
uint64_t rvc_index_bytes(const struct rvc_index *index);

/**
 * Draw features towards their nearest neighbours: of the 8 nearest vectors, each weighted by
 * (1 / squared distance)², the mean takes the place of the share `rate`.
 *
 * @param features  [n_frames][dims], in place
 *
 * Thread: any. Allocates nothing.
 */
void rvc_index_retrieve(const struct rvc_index *index, float *features, size_t n_frames,
                        float rate);

/**
 * Make a plain index file of another file; which kind it is, its content tells. A plain one is
 * copied. `to` is complete or not there.
 *
 * @return KODAMA_OK, KODAMA_ERR_NOT_FOUND, KODAMA_ERR_PERMISSION, KODAMA_ERR_IO,
 *         KODAMA_ERR_CORRUPT, KODAMA_ERR_UNSUPPORTED (another kind of file, or of index),
 *         KODAMA_ERR_MEMORY
 */
int rvc_index_write(const char *from, const char *to, struct kodama_error *error);

#endif
