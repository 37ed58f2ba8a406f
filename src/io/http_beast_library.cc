// The parts of Beast that need to be compiled once, with BOOST_BEAST_SEPARATE_COMPILATION.
#include <boost/beast/src.hpp>
