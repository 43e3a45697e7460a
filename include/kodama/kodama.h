/* Everything at once: the public face of the engine. */
#ifndef KODAMA_KODAMA_H
#define KODAMA_KODAMA_H

#include <kodama/api.h>
#include <kodama/app.h>
#include <kodama/client.h>
#include <kodama/clip.h>
#include <kodama/detector.h>
#include <kodama/detector_pool.h>
#include <kodama/device.h>
#include <kodama/draft.h>
#include <kodama/format.h>
#include <kodama/host.h>
#include <kodama/log.h>
#include <kodama/loudness.h>
#include <kodama/meter.h>
#include <kodama/model.h>
#include <kodama/model_store.h>
#include <kodama/neural.h>
#include <kodama/player.h>
#include <kodama/recognizer.h>
#include <kodama/record.h>
#include <kodama/recorder.h>
#include <kodama/resampler.h>
#include <kodama/ring.h>
#include <kodama/scanner.h>
#include <kodama/segmenter.h>
#include <kodama/server.h>
#include <kodama/sink.h>
#include <kodama/source.h>
#include <kodama/status.h>
#include <kodama/stream.h>
#include <kodama/voice.h>
#include <kodama/voice_model.h>
#include <kodama/voice_store.h>
#include <kodama/waitable.h>

#endif
