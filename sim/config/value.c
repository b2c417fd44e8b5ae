/* SPDX-License-Identifier: MIT
 * value.c - the text of one value to its number and back.
 *
 * Sizes, frequencies and times need their unit ("16KiB", "700MHz", "10ms") except 0; decimals are accepted
 * where the result is a whole number of the base unit ("1.5GiB"). No rounding ever happens.
 */
#include "sim/config/field.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim/base/suggest.h"

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"TiB", 1ull << 40}, {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}, {"B", 1}, {0},
};
static const struct unit freq_units[] = {
    {"GHz", 1000000000}, {"MHz", 1000000}, {"kHz", 1000}, {"Hz", 1}, {0},
};
static const struct unit ns_units[] = {
    {"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}, {0},
};
static const struct unit ps_units[] = {
    {"ms", 1000000000}, {"us", 1000000}, {"ns", 1000}, {"ps", 1}, {0},
};

static const struct unit *units_of(const struct km_field *f)
{
    switch (f->type) {
    case KM_FIELD_SIZE:
        return size_units;
    case KM_FIELD_FREQ:
        return freq_units;
    case KM_FIELD_NS:
        return ns_units;
    case KM_FIELD_PS:
        return ps_units;
    default:
        return NULL;
    }
}

const char *km_value_unit(const struct km_field *f)
{
    switch (f->type) {
    case KM_FIELD_SIZE:
        return "B, KiB, MiB, GiB";
    case KM_FIELD_FREQ:
        return "Hz, kHz, MHz, GHz";
    case KM_FIELD_NS:
        return "ns, us, ms, s";
    case KM_FIELD_PS:
        return "ps, ns, us";
    default:
        return f->unit ? f->unit : "";
    }
}

/* Appends to a bounded string. */
__attribute__((format(printf, 3, 4))) static void append(char *out, size_t size, const char *fmt, ...)
{
    size_t len = strlen(out);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(out + len, size - len, fmt, ap);
    va_end(ap);
}

static void print_number(const struct km_field *f, uint64_t v, char *out, size_t size)
{
    const struct unit *u = units_of(f);

    if (!u || v == 0) {
        snprintf(out, size, "%" PRIu64, v);
        return;
    }
    while (v % u->factor)
        u++;
    snprintf(out, size, "%" PRIu64 "%s", v / u->factor, u->name);
}

static void allowed_words(const struct km_field *f, char *out, size_t size)
{
    for (const struct km_choice *c = f->choices; c->word; c++)
        append(out, size, "%s%s", out[0] ? ", " : "", c->word);
}

static void allowed_range(const struct km_field *f, char *out, size_t size)
{
    char lo[32], hi[32];

    print_number(f, f->min, lo, sizeof(lo));
    print_number(f, f->max, hi, sizeof(hi));
    if (f->max == UINT64_MAX)
        snprintf(out, size, "%s or more", lo);
    else
        snprintf(out, size, "%s..%s", lo, hi);
    if (f->pow2)
        append(out, size, ", a power of two");
    if (f->zero_word)
        append(out, size, ", or %s", f->zero_word);
}

void km_value_allowed(const struct km_field *f, char *out, size_t size)
{
    out[0] = '\0';
    switch (f->type) {
    case KM_FIELD_BOOL:
        snprintf(out, size, "true, false");
        return;
    case KM_FIELD_CHOICE:
        allowed_words(f, out, size);
        return;
    case KM_FIELD_STRING:
    case KM_FIELD_PATH:
        snprintf(out, size, "at most %zu characters", f->size - 1);
        return;
    default:
        allowed_range(f, out, size);
    }
}

/* msg = "<what> (allowed <...>)"; always false. */
__attribute__((format(printf, 4, 5))) static bool refuse(const struct km_field *f, char *msg,
                                                         size_t size, const char *fmt, ...)
{
    char allowed[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(msg, size, fmt, ap);
    va_end(ap);
    km_value_allowed(f, allowed, sizeof(allowed));
    append(msg, size, " (allowed %s)", allowed);
    return false;
}

static bool parse_bool(const struct km_field *f, const char *text, uint64_t *out, char *msg, size_t size)
{
    static const struct km_choice words[] = {
        {"true", 1, 0}, {"false", 0, 0}, {"yes", 1, 0}, {"no", 0, 0}, {"on", 1, 0}, {"off", 0, 0}, {0},
    };

    for (const struct km_choice *w = words; w->word; w++) {
        if (strcasecmp(text, w->word) == 0) {
            *out = (uint64_t)w->value;
            return true;
        }
    }
    return refuse(f, msg, size, "'%.60s' is not a truth value", text);
}

static bool parse_choice(const struct km_field *f, const char *text, uint64_t *out, char *msg,
                         size_t size)
{
    struct km_suggest near;

    km_suggest_init(&near, text);
    for (const struct km_choice *c = f->choices; c->word; c++) {
        if (strcmp(text, c->word) == 0) {
            *out = (uint64_t)c->value;
            return true;
        }
        km_suggest_offer(&near, c->word);
    }
    if (near.best)
        return refuse(f, msg, size, "unknown value '%.60s', did you mean '%s'?", text, near.best);
    return refuse(f, msg, size, "unknown value '%.60s'", text);
}

/* One decoded code point of UTF-8, or -1; *len is its length. */
static long decode_utf8(const unsigned char *s, unsigned *len)
{
    static const long least[] = {0, 0, 0x80, 0x800, 0x10000};
    long cp;

    if (s[0] < 0x80) {
        *len = 1;
        return s[0];
    }
    *len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return -1;
    cp = s[0] & (0xff >> (*len + 1));
    for (unsigned i = 1; i < *len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return -1;
        cp = cp << 6 | (s[i] & 0x3f);
    }
    return cp < least[*len] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff) ? -1 : cp;
}

/* Text that survives being written to YAML and read again. */
static bool printable(const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    while (*s) {
        unsigned len;
        long cp = decode_utf8(s, &len);

        if (cp < 0x20 || (cp >= 0x7f && cp <= 0x9f) || cp == 0x2028 || cp == 0x2029 ||
            cp == 0xfeff || (cp & 0xfffe) == 0xfffe)
            return false;
        s += len;
    }
    return true;
}

static bool parse_string(const struct km_field *f, const char *text, char *msg, size_t size)
{
    if (strlen(text) >= f->size)
        return refuse(f, msg, size, "too long: %zu characters", strlen(text));
    if (!printable(text)) {
        snprintf(msg, size, "contains characters that are not printable text");
        return false;
    }
    return true;
}

/* Digits with an optional fraction: *digits = the digits as one number, *scale = 10^decimals. */
static bool parse_digits(const char **text, uint64_t *digits, uint64_t *scale)
{
    const char *p = *text;
    bool fraction = false, any = false;

    *digits = 0;
    *scale = 1;
    for (; isdigit((unsigned char)*p) || (*p == '.' && !fraction); p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        any = true;
        if (__builtin_mul_overflow(*digits, 10, digits) ||
            __builtin_add_overflow(*digits, (uint64_t)(*p - '0'), digits))
            return false;
        if (fraction && __builtin_mul_overflow(*scale, 10, scale))
            return false;
    }
    *text = p;
    return any;
}

static bool parse_hex(const char *text, uint64_t *out)
{
    if (strlen(text) > 18 || !text[2])
        return false;
    *out = 0;
    for (const char *p = text + 2; *p; p++) {
        if (!isxdigit((unsigned char)*p))
            return false;
        *out = *out << 4 | (uint64_t)(isdigit((unsigned char)*p) ? *p - '0' : (*p | 0x20) - 'a' + 10);
    }
    return true;
}

/* digits / scale * factor, exactly. */
static bool scale_exactly(uint64_t digits, uint64_t scale, uint64_t factor, uint64_t *out)
{
    unsigned __int128 product = (unsigned __int128)digits * factor;

    if (product % scale || product / scale > UINT64_MAX)
        return false;
    *out = (uint64_t)(product / scale);
    return true;
}

static bool refuse_unit(const struct km_field *f, const char *text, char *msg, size_t size)
{
    if (!units_of(f))
        return refuse(f, msg, size, "'%.60s' is not a whole number", text);
    return refuse(f, msg, size, "'%.60s' is not a number with one of the units %s", text,
                  km_value_unit(f));
}

static bool parse_amount(const struct km_field *f, const char *text, uint64_t *out, char *msg,
                         size_t size)
{
    const struct unit *u = units_of(f);
    const char *p = text;
    uint64_t digits, scale, factor = 1;

    if (text[0] == '0' && (text[1] | 0x20) == 'x')
        return parse_hex(text, out) || refuse_unit(f, text, msg, size);
    if (!parse_digits(&p, &digits, &scale) && text[0] && !text[strspn(text, "0123456789")])
        return refuse(f, msg, size, "%.60s is too large a number", text);
    if (p == text)
        return refuse_unit(f, text, msg, size);
    while (*p == ' ')
        p++;
    for (; u && u->name && strcmp(p, u->name) != 0; u++)
        ;
    if (u && u->name)
        factor = u->factor;
    else if (*p || (u && digits && f->type != KM_FIELD_SIZE))
        return refuse_unit(f, text, msg, size);
    if (!scale_exactly(digits, scale, factor, out))
        return refuse(f, msg, size, "'%.60s' is not a whole number of the smallest unit", text);
    return true;
}

static bool parse_number(const struct km_field *f, const char *text, uint64_t *out, char *msg,
                         size_t size)
{
    if (f->zero_word && strcmp(text, f->zero_word) == 0) {
        *out = 0;
        return true;
    }
    if (!parse_amount(f, text, out, msg, size))
        return false;
    if (*out == 0 && f->zero_word && !f->zero_only_by_word)
        return true;
    if (*out < f->min || *out > f->max)
        return refuse(f, msg, size, "%.60s is out of range", text);
    if (f->pow2 && (*out & (*out - 1)))
        return refuse(f, msg, size, "%.60s is not a power of two", text);
    return true;
}

bool km_value_parse(const struct km_field *f, const char *text, uint64_t *number, char *msg,
                    size_t msg_size)
{
    *number = 0;
    switch (f->type) {
    case KM_FIELD_BOOL:
        return parse_bool(f, text, number, msg, msg_size);
    case KM_FIELD_CHOICE:
        return parse_choice(f, text, number, msg, msg_size);
    case KM_FIELD_STRING:
    case KM_FIELD_PATH:
        return parse_string(f, text, msg, msg_size);
    default:
        return parse_number(f, text, number, msg, msg_size);
    }
}

void km_value_store(const struct km_field *f, void *member, uint64_t number, const char *text)
{
    uint32_t number32 = (uint32_t)number;

    if (f->type == KM_FIELD_STRING || f->type == KM_FIELD_PATH)
        snprintf(member, f->size, "%s", text);
    else if (f->type == KM_FIELD_BOOL)
        *(bool *)member = number != 0;
    else if (f->size == sizeof(number32))
        memcpy(member, &number32, sizeof(number32));
    else
        memcpy(member, &number, sizeof(number));
}

uint64_t km_value_load(const struct km_field *f, const void *member)
{
    uint32_t number32;
    uint64_t number;

    if (f->type == KM_FIELD_BOOL)
        return *(const bool *)member;
    if (f->size == sizeof(number32)) {
        memcpy(&number32, member, sizeof(number32));
        return number32;
    }
    memcpy(&number, member, sizeof(number));
    return number;
}

static void print_quoted(const char *text, char *out, size_t size)
{
    size_t n = 0;

    out[n++] = '"';
    for (; *text && n + 3 < size; text++) {
        if (*text == '"' || *text == '\\')
            out[n++] = '\\';
        out[n++] = *text;
    }
    out[n++] = '"';
    out[n] = '\0';
}

void km_value_print(const struct km_field *f, const void *member, char *out, size_t size)
{
    uint64_t number;

    if (f->type == KM_FIELD_STRING || f->type == KM_FIELD_PATH) {
        print_quoted(member, out, size);
        return;
    }
    number = km_value_load(f, member);
    if (f->type == KM_FIELD_BOOL) {
        snprintf(out, size, "%s", number ? "true" : "false");
    } else if (f->type == KM_FIELD_CHOICE) {
        const struct km_choice *c = f->choices;

        while (c->word && (uint64_t)c->value != number)
            c++;
        snprintf(out, size, "%s", c->word ? c->word : "?");
    } else if (number == 0 && f->zero_word) {
        snprintf(out, size, "%s", f->zero_word);
    } else {
        print_number(f, number, out, size);
    }
}
