/* SPDX-License-Identifier: MIT
 * dat_decode.c - see dat_decode.h. Field places come from the event format, once per event type;
 * GFP bits are decoded by the names in the event's own print format (B1: bits move between kernel
 * versions); call sites become symbols through the symbol table in the file. Rare events with
 * computed fields (extfrag, compaction, reclaim, OOM, cache creation) are printed by libtraceevent
 * and read back by the text parser, so that both formats agree by construction.
 */
#include "sim/trace/dat_decode.h"
#include "sim/trace/fields.h"
#include "sim/trace/gfp.h"
#include "sim/trace/text_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trace-seq.h>

#define RECORD_HEADER_BYTES 8u /* common_type, common_flags, common_preempt_count, common_pid */
#define RAW_CONTEXT_BITS                                                                           \
    (KM_EV_IRQS_OFF | KM_EV_NEED_RESCHED | KM_EV_HARDIRQ | KM_EV_SOFTIRQ | KM_EV_NMI)

void km_dat_decoder_init(struct km_dat_decoder *decoder, struct tep_handle *tep,
                         struct km_intern *strings, struct km_text *text)
{
    memset(decoder, 0, sizeof(*decoder));
    decoder->tep = tep;
    decoder->strings = strings;
    decoder->text = text;
    decoder->swap = tep_is_file_bigendian(tep);
}

void km_dat_decoder_release(struct km_dat_decoder *decoder)
{
    for (uint32_t i = 0; i < KM_DAT_TYPES; i++)
        free(decoder->event[i]);
}

static uint64_t read_number(const struct km_dat_decoder *decoder, const uint8_t *p, unsigned size,
                            bool is_signed)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < size; i++)
        v |= (uint64_t)p[decoder->swap ? size - 1 - i : i] << (8 * i);
    if (is_signed && size < 8 && v >> (8 * size - 1))
        v |= ~0ull << (8 * size);
    return v;
}

static bool is_rare(enum km_event_type type)
{
    return type == KM_EV_PAGE_ALLOC_EXTFRAG || type == KM_EV_COMPACTION_BEGIN ||
           type == KM_EV_COMPACTION_END || type == KM_EV_CACHE_CREATE ||
           (type >= KM_EV_KSWAPD_WAKE && type <= KM_EV_DIRECT_RECLAIM_END);
}

static const struct tep_print_flag_sym *find_flags(const struct tep_print_arg *arg, unsigned depth)
{
    const struct tep_print_flag_sym *found = NULL;

    for (; arg && !found && depth < 16; arg = arg->next) {
        if (arg->type == TEP_PRINT_FLAGS) {
            if (arg->flags.flags && strstr(arg->flags.flags->str, "GFP"))
                found = arg->flags.flags;
        } else if (arg->type == TEP_PRINT_OP) {
            found = find_flags(arg->op.left, depth + 1);
            if (!found)
                found = find_flags(arg->op.right, depth + 1);
        } else if (arg->type == TEP_PRINT_TYPE) {
            found = find_flags(arg->typecast.item, depth + 1);
        }
    }
    return found;
}

static void add_field(struct km_dat_event *event, const struct tep_format_field *field,
                      enum km_field_kind kind, uint16_t at)
{
    bool is_string = field->flags & (TEP_FIELD_IS_STRING | TEP_FIELD_IS_DYNAMIC);

    if (event->nr_fields == KM_DAT_FIELDS || field->offset < 0 || field->offset > UINT16_MAX ||
        field->size <= 0 || (!is_string && field->size > 8) || (kind == KM_F_TEXT) != is_string) {
        event->unusable = true;
        return;
    }
    event->field[event->nr_fields++] = (struct km_dat_field){
        .offset = (uint16_t)field->offset,
        .size = (uint8_t)(field->size > 8 ? 0 : field->size),
        .kind = (uint8_t)kind,
        .is_signed = field->flags & TEP_FIELD_IS_SIGNED,
        .is_string = is_string,
        .is_relative = field->flags & TEP_FIELD_IS_RELATIVE,
        .at = at,
    };
}

static void add_bulk_pointers(struct km_dat_event *event)
{
    char name[8];

    for (unsigned i = 0; i < KM_BULK_MAX; i++) {
        const struct tep_format_field *field;

        snprintf(name, sizeof(name), "p%u", i);
        field = tep_find_any_field(event->format, name);
        if (field)
            add_field(event, field, KM_F_U32,
                      (uint16_t)(offsetof(struct km_event, bulk.ptr) + 4 * i));
    }
}

static void learn_fields(struct km_dat_event *event)
{
    const struct km_field *row = km_fields_of(event->type);
    char name[32];

    for (; row->key; row++) {
        const struct tep_format_field *field;
        bool computed = row->kind == KM_F_SKIP ||
                        (event->type == KM_EV_PAGE_FREE_BATCHED && row->kind == KM_F_U8);

        snprintf(name, sizeof(name), "%.*s", row->key_len - 1, row->key);
        field = tep_find_any_field(event->format, name);
        if (field && row->kind != KM_F_SKIP)
            add_field(event, field, row->kind, row->at);
        else if (row->at == offsetof(struct km_event, obj.accounted) && row->kind == KM_F_BOOL)
            event->derive_accounted = true;
        else if (row->needed && !computed)
            event->unusable = true;
    }
    if (event->type == KM_EV_SLAB_FREE_BULK)
        add_bulk_pointers(event);
}

static void learn_mark(struct km_dat_event *event)
{
    const struct tep_format_field *field = tep_find_any_field(event->format, "buf");

    if (!field || field->offset < 0 || field->offset > UINT16_MAX) {
        event->unusable = true;
        return;
    }
    event->nr_fields = 1;
    event->field[0].offset = (uint16_t)field->offset;
}

static struct km_dat_event *learn_event(struct km_dat_decoder *decoder, unsigned id)
{
    struct km_dat_event *event = calloc(1, sizeof(*event));
    size_t len;

    if (!event)
        return NULL;
    decoder->event[id] = event;
    event->format = tep_find_event(decoder->tep, (int)id);
    if (!event->format || !event->format->name) {
        event->unusable = true;
        return event;
    }
    len = strlen(event->format->name);
    event->type = (uint8_t)km_event_by_name(event->format->name, len);
    event->name = km_intern(decoder->strings, event->format->name, len);
    event->gfp_names = find_flags(event->format->print_fmt.args, 0);
    if (event->type == KM_EV_MARK)
        learn_mark(event);
    else if (event->type == KM_EV_NONE)
        event->type = KM_EV_OTHER;
    else if (is_rare(event->type))
        event->use_text = true;
    else if (event->type != KM_EV_OOM)
        learn_fields(event);
    return event;
}

/* Names cover bits in the order of the format, as the kernel itself prints; bits left over are
 * kept. */
static uint32_t decode_gfp(struct km_dat_decoder *decoder, const struct tep_print_flag_sym *names,
                           uint64_t raw)
{
    struct km_dat_gfp *slot = &decoder->gfp[(raw * 0x9e3779b97f4a7c15u) >> 58];
    uint64_t rest = raw;

    if (slot->used && slot->raw == raw && slot->names == names)
        return slot->bits;
    *slot = (struct km_dat_gfp){.raw = raw, .names = names, .used = true};
    for (; names && rest; names = names->next) {
        uint64_t mask = strtoull(names->value, NULL, 0);
        uint32_t bits;

        if (mask == 0 || (rest & mask) != mask)
            continue;
        if (km_gfp_by_name(names->str, strlen(names->str), &bits))
            slot->bits |= bits;
        rest &= ~mask;
    }
    slot->bits |= (uint32_t)rest;
    return slot->bits;
}

static const struct km_dat_site *find_site(struct km_dat_decoder *decoder, uint64_t addr)
{
    struct km_dat_site *slot = &decoder->site[(addr * 0x9e3779b97f4a7c15u) >> 54];
    const char *symbol;

    if (slot->used && slot->addr == addr)
        return slot;
    *slot = (struct km_dat_site){.addr = addr, .used = true};
    symbol = addr ? tep_find_function(decoder->tep, addr) : NULL;
    if (symbol) {
        slot->symbol = km_intern(decoder->strings, symbol, strlen(symbol));
        slot->offset = (uint32_t)(addr - tep_find_function_address(decoder->tep, addr));
    }
    return slot;
}

static uint32_t find_comm(struct km_dat_decoder *decoder, int32_t pid)
{
    struct km_dat_comm *slot = &decoder->comm[(uint32_t)pid % KM_DAT_COMMS];

    if (!slot->used || slot->pid != pid) {
        const char *comm = tep_data_comm_from_pid(decoder->tep, pid);

        slot->used = true;
        slot->pid = pid;
        slot->id = comm ? km_intern(decoder->strings, comm, strlen(comm)) : 0;
    }
    return slot->id;
}

static void store_site(struct km_dat_decoder *decoder, uint64_t addr, struct km_event *ev)
{
    const struct km_dat_site *site = find_site(decoder, addr);

    if (ev->type == KM_EV_PERCPU_ALLOC) {
        ev->percpu.call_site_addr = addr;
        ev->percpu.call_site = site->symbol;
        ev->percpu.call_site_offset = site->offset;
    } else {
        ev->obj.call_site_addr = addr;
        ev->obj.call_site = site->symbol;
        ev->obj.call_site_offset = site->offset;
    }
}

/* __data_loc: offset in the low half, length in the high half; __rel_loc: offset from the field's
 * end. */
static bool store_string(struct km_dat_decoder *decoder, const struct km_dat_field *field,
                         const uint8_t *data, unsigned size, void *to)
{
    uint64_t loc = read_number(decoder, data + field->offset, 4, false);
    unsigned offset = loc & 0xffff;
    unsigned len = (unsigned)(loc >> 16);

    if (field->is_relative)
        offset += field->offset + 4u;
    if (field->size != 4 || offset > size || len > size - offset)
        return false;
    *(uint32_t *)to = km_intern(decoder->strings, (const char *)data + offset,
                                strnlen((const char *)data + offset, len));
    return true;
}

static bool store_field(struct km_dat_decoder *decoder, const struct km_dat_event *event,
                        const struct km_dat_field *field, const uint8_t *data, unsigned size,
                        struct km_event *ev)
{
    void *to = (char *)ev + field->at;
    uint64_t v;

    if (field->offset + (field->is_string ? 4u : field->size) > size)
        return false;
    if (field->is_string)
        return store_string(decoder, field, data, size, to);
    v = read_number(decoder, data + field->offset, field->size, field->is_signed);
    switch ((enum km_field_kind)field->kind) {
    case KM_F_U64:
    case KM_F_PTR:
        *(uint64_t *)to = v;
        break;
    case KM_F_U32:
    case KM_F_I32:
        *(uint32_t *)to = (uint32_t)v;
        break;
    case KM_F_PFN:
        *(km_pfn *)to = v >= UINT32_MAX ? KM_PFN_NONE : (km_pfn)v;
        break;
    case KM_F_I16:
        *(int16_t *)to = (int16_t)v;
        break;
    case KM_F_BOOL:
        *(bool *)to = v != 0;
        break;
    case KM_F_GFP:
        *(uint32_t *)to = decode_gfp(decoder, event->gfp_names, v);
        break;
    case KM_F_SITE:
        store_site(decoder, v, ev);
        break;
    default:
        *(uint8_t *)to = (uint8_t)v;
        break;
    }
    return true;
}

static bool decode_mark(struct km_dat_decoder *decoder, const struct km_dat_event *event,
                        const uint8_t *data, unsigned size, struct km_event *ev)
{
    unsigned offset = event->field[0].offset;
    size_t len;

    if (offset > size)
        return false;
    len = strnlen((const char *)data + offset, size - offset);
    if (len >= sizeof(decoder->mark))
        len = sizeof(decoder->mark) - 1;
    memcpy(decoder->mark, data + offset, len);
    while (len > 0 && (decoder->mark[len - 1] == '\n' || decoder->mark[len - 1] == '\r'))
        len--;
    decoder->mark[len] = '\0';
    ev->text.text = decoder->mark;
    return true;
}

static size_t print_event(struct km_dat_decoder *decoder, struct tep_record *record)
{
    struct trace_seq seq;
    size_t len;

    trace_seq_init(&seq);
    tep_print_event(decoder->tep, &seq, record, "%s", TEP_PRINT_INFO);
    trace_seq_terminate(&seq);
    len = seq.buffer ? strnlen(seq.buffer, seq.len) : 0;
    if (len >= sizeof(decoder->mark))
        len = sizeof(decoder->mark) - 1;
    if (len)
        memcpy(decoder->mark, seq.buffer, len);
    decoder->mark[len] = '\0';
    trace_seq_destroy(&seq);
    return len;
}

static void decode_text(struct km_dat_decoder *decoder, const struct km_dat_event *event,
                        struct tep_record *record, struct km_event *ev)
{
    decoder->mark[0] = '\0';
    if (event->type == KM_EV_OOM || decoder->want_text)
        print_event(decoder, record);
    ev->text.text = decoder->mark;
    ev->text.name = event->name;
}

static bool decode_fields(struct km_dat_decoder *decoder, const struct km_dat_event *event,
                          const uint8_t *data, unsigned size, struct km_event *ev)
{
    if (ev->type == KM_EV_KMALLOC || ev->type == KM_EV_KMEM_CACHE_ALLOC)
        ev->obj.node = -1;
    for (unsigned i = 0; i < event->nr_fields; i++)
        if (!store_field(decoder, event, &event->field[i], data, size, ev))
            return false;
    if (event->derive_accounted)
        ev->obj.accounted = ev->obj.gfp & KM_GFP_ACCOUNT;
    return true;
}

bool km_dat_decode(struct km_dat_decoder *decoder, struct tep_record *record, struct km_event *ev)
{
    const uint8_t *data = record->data;
    const struct km_dat_event *event;
    unsigned size = record->size < 0 ? 0 : (unsigned)record->size;
    unsigned id;

    memset(ev, 0, sizeof(*ev));
    if (!data || size < RECORD_HEADER_BYTES || record->cpu < 0 || record->cpu > UINT8_MAX)
        return false;
    id = (unsigned)read_number(decoder, data, 2, false);
    event = decoder->event[id] ? decoder->event[id] : learn_event(decoder, id);
    if (!event || event->unusable)
        return false;
    ev->time_ns = record->ts;
    ev->type = event->type;
    ev->cpu = (uint8_t)record->cpu;
    ev->context = (uint8_t)((data[2] & RAW_CONTEXT_BITS) | KM_EV_CONTEXT_KNOWN);
    ev->preempt_count = data[3] & 0xf;
    ev->pid = (int32_t)read_number(decoder, data + 4, 4, true);
    ev->comm = find_comm(decoder, ev->pid);
    if (ev->type == KM_EV_MARK)
        return decode_mark(decoder, event, data, size, ev);
    if (ev->type == KM_EV_OTHER || ev->type == KM_EV_OOM) {
        decode_text(decoder, event, record, ev);
        return true;
    }
    if (event->use_text) {
        size_t len = print_event(decoder, record);

        return km_text_fields(decoder->text, decoder->mark, decoder->mark + len, ev);
    }
    return decode_fields(decoder, event, data, size, ev);
}
