#include <fcntl.h>
#include <unistd.h>

#include "client/awctl/awctl.h"

/*
 * A descriptor that we were started without would be that of our next file: of the connection to
 * the daemon, and output would go there. In its place comes one that fails as none would.
 */
static bool std_fds_hold(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    return std_fds_hold() ? awctl_main(argc, argv) : aw_err_exit_code(AW_ERR_SYSTEM);
}
