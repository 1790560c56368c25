# AW_CHECK_CFLAGS(VARIABLE, FLAGS): appends to VARIABLE each of the FLAGS that the compiler takes.
AC_DEFUN([AW_CHECK_CFLAGS], [
for aw_flag in m4_normalize([$2]); do
    AS_VAR_PUSHDEF([aw_cache], [aw_cv_cflag_$aw_flag])
    AC_CACHE_CHECK([whether $CC accepts $aw_flag], [aw_cache], [
        aw_save=$CFLAGS
        # Of an unknown -Wno-..., gcc says nothing unless something else is wrong: so ask for the other.
        CFLAGS="$CFLAGS -Werror $(AS_ECHO([$aw_flag]) | $SED 's/^-Wno-/-W/')"
        AC_COMPILE_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([aw_cache], [yes])],
            [AS_VAR_SET([aw_cache], [no])])
        CFLAGS=$aw_save
    ])
    AS_VAR_IF([aw_cache], [yes], [AS_VAR_APPEND([$1], [" $aw_flag"])])
    AS_VAR_POPDEF([aw_cache])
done
])

# AW_CHECK_LDFLAGS(VARIABLE, FLAGS): the same for the linker.
AC_DEFUN([AW_CHECK_LDFLAGS], [
for aw_flag in m4_normalize([$2]); do
    AS_VAR_PUSHDEF([aw_cache], [aw_cv_ldflag_$aw_flag])
    AC_CACHE_CHECK([whether the linker accepts $aw_flag], [aw_cache], [
        aw_save=$LDFLAGS
        LDFLAGS="$LDFLAGS $aw_flag"
        AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([aw_cache], [yes])],
            [AS_VAR_SET([aw_cache], [no])])
        LDFLAGS=$aw_save
    ])
    AS_VAR_IF([aw_cache], [yes], [AS_VAR_APPEND([$1], [" $aw_flag"])])
    AS_VAR_POPDEF([aw_cache])
done
])
