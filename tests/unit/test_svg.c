/* svg: escaping, wrapping, one decimal, failures that stick. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "svg.h"

static void hostile_text_is_escaped(void **state)
{
    struct svg s;

    (void)state;
    svg_begin(&s, 10, 20, "a<b", "\"c\" & d", ".x{}");
    svg_text(&s, "x", SVG_END, 1.0, 2.25, "%s",
             "</text><script>\"&'\x01\n\xff\xef\xbf\xbf\xc3\xa9");
    svg_end(&s);
    assert_int_equal(s.failed, 0);
    assert_non_null(strstr(s.out.data, "<title id=\"title\">a&lt;b</title>"));
    assert_non_null(strstr(s.out.data, "&quot;c&quot; &amp; d"));
    assert_non_null(
        strstr(s.out.data, "&lt;/text&gt;&lt;script&gt;&quot;&amp;'? ??\xc3\xa9</text>"));
    assert_null(strstr(s.out.data, "<script"));
    assert_non_null(strstr(s.out.data, "text-anchor=\"end\" x=\"1.0\" y=\"2.2\""));
    svg_release(&s);
}

static void lines_have_one_decimal(void **state)
{
    static const struct svg_point points[] = {{0, 1.04}, {2.06, 3}};
    struct svg s;

    (void)state;
    svg_begin(&s, 10, 20, "", "", "");
    svg_polyline(&s, "a", points, 2);
    svg_line(&s, "b", 1, 2, 3, 4.449);
    assert_non_null(strstr(s.out.data, "<polyline class=\"a\" points=\"0.0,1.0 2.1,3.0\"/>"));
    assert_non_null(strstr(s.out.data, "x2=\"3.0\" y2=\"4.4\""));
    svg_release(&s);
}

static void failures_stick(void **state)
{
    struct svg s;
    size_t len;

    (void)state;
    svg_begin(&s, 10, 20, "", "", "");
    s.out.cap = s.out.len + 1;
    svg_rect(&s, "a", 0, 0, 1, 1);
    assert_int_equal(s.failed, -ERR_TOO_LARGE);
    len = s.out.len;
    s.out.cap = SVG_MAX_BYTES;
    svg_end(&s);
    assert_int_equal(s.failed, -ERR_TOO_LARGE);
    assert_true(s.out.len > len);
    svg_release(&s);
}

static void lines_break_at_spaces(void **state)
{
    (void)state;
    assert_int_equal(svg_wrap("", 10), 0);
    assert_int_equal(svg_wrap("short", 10), 5);
    assert_int_equal(svg_wrap("exactly te", 10), 10);
    assert_int_equal(svg_wrap("two words here", 10), 9);
    assert_int_equal(svg_wrap("unbreakable-word", 10), 10);
    assert_int_equal(svg_wrap("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 3), 6);
    assert_int_equal(svg_wrap("bad\xff here", 20),
                     9); /* what is no UTF-8 ends a line, not a loop */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_text_is_escaped),
        cmocka_unit_test(lines_have_one_decimal),
        cmocka_unit_test(failures_stick),
        cmocka_unit_test(lines_break_at_spaces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
