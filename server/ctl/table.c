/* table: see table.h. */
#include "table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CELL_MAX 512

void table_init(struct table *t, const struct table_column *columns, int n_columns)
{
    *t = (struct table){.columns = columns, .n_columns = n_columns};
}

void table_release(struct table *t)
{
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i]);
    free(t->cells);
    memset(t, 0, sizeof *t);
}

const char *table_safe(const char *text, char *ret, size_t size)
{
    size_t n = 0;

    for (const unsigned char *p = (const unsigned char *)text; *p && n + 1 < size; p++) {
        bool c1 = *p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f; /* U+0080 to U+009F in UTF-8 */

        ret[n++] = *p < 0x20 || *p == 0x7f || c1 ? '?' : (char)*p;
        p += c1;
    }
    ret[n] = '\0';
    return ret;
}

void table_text(struct table *t, const char *text)
{
    char safe[CELL_MAX];
    char **longer = reallocarray(t->cells, t->n_cells + 1, sizeof *longer);

    if (!longer)
        return;
    t->cells = longer;
    t->cells[t->n_cells] = strdup(table_safe(text && text[0] ? text : "-", safe, sizeof safe));
    t->n_cells++;
}

void table_number(struct table *t, int64_t n)
{
    char text[32];

    table_format_number(n, text);
    table_text(t, text);
}

void table_format_number(int64_t n, char ret[32])
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%" PRId64, n), k = 0;

    for (int i = 0; i < len; i++) {
        ret[k++] = digits[i];
        if (digits[i] != '-' && i < len - 1 && (len - 1 - i) % 3 == 0)
            ret[k++] = ',';
    }
    ret[k] = '\0';
}

void table_format_duration(int64_t seconds, char ret[32])
{
    if (seconds < 60)
        snprintf(ret, 32, "%d s", (int)(seconds < 0 ? 0 : seconds));
    else if (seconds < 3600)
        snprintf(ret, 32, "%dm %02ds", (int)(seconds / 60), (int)(seconds % 60));
    else if (seconds < 3 * 86400)
        snprintf(ret, 32, "%" PRId64 "h %02dm", seconds / 3600, (int)(seconds / 60 % 60));
    else
        snprintf(ret, 32, "%" PRId64 " days", seconds / 86400);
}

/* Columns on a screen: bytes that do not continue a UTF-8 character. */
static int width(const char *text)
{
    int n = 0;

    for (; text && *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static const char *cell(const struct table *t, size_t at)
{
    return at < t->n_cells && t->cells[at] ? t->cells[at] : "";
}

/* No white space at the end of a line. */
static void put_trimmed(const char *line, size_t len, FILE *out)
{
    while (len > 0 && line[len - 1] == ' ')
        len--;
    fwrite(line, 1, len, out);
    fputc('\n', out);
}

/* row SIZE_MAX: the titles. */
static void print_line(const struct table *t, const int *widths, size_t row, int indent, FILE *out)
{
    char *line = NULL;
    size_t len;
    FILE *mem = open_memstream(&line, &len);

    if (!mem)
        return;
    fprintf(mem, "%*s", indent, "");
    for (int c = 0; c < t->n_columns; c++) {
        const char *text =
            row == SIZE_MAX ? t->columns[c].title : cell(t, row * (size_t)t->n_columns + (size_t)c);
        int pad = widths[c] - width(text);

        if (t->columns[c].right)
            fprintf(mem, "%*s%s  ", pad, "", text);
        else
            fprintf(mem, "%s%*s  ", text, pad, "");
    }
    if (fclose(mem) == 0)
        put_trimmed(line, len, out);
    free(line);
}

void table_print(const struct table *t, int indent, FILE *out)
{
    size_t rows = (t->n_cells + (size_t)t->n_columns - 1) / (size_t)t->n_columns;
    int widths[TABLE_MAX_COLUMNS];

    for (int c = 0; c < t->n_columns; c++)
        widths[c] = width(t->columns[c].title);
    for (size_t i = 0; i < t->n_cells; i++) {
        int c = (int)(i % (size_t)t->n_columns), w = width(cell(t, i));

        if (w > widths[c])
            widths[c] = w;
    }
    print_line(t, widths, SIZE_MAX, indent, out);
    for (size_t row = 0; row < rows; row++)
        print_line(t, widths, row, indent, out);
}

bool table_colours(FILE *out)
{
    const char *no = getenv("NO_COLOR");

    return isatty(fileno(out)) && !(no && no[0]);
}
