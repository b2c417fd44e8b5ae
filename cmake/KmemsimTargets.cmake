# SPDX-License-Identifier: MIT
# One static library per folder; its DEPS are the only folders it may use
# (scripts/check-deps.sh compares the #include lines with these edges).

add_library(km_flags INTERFACE)
target_include_directories(km_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(km_flags INTERFACE
    -Wall -Wextra -Wshadow -fno-strict-aliasing
    $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes -Wstrict-prototypes -Wvla>
    $<$<BOOL:${KM_WERROR}>:-Werror>)
target_compile_definitions(km_flags INTERFACE
    KM_VERSION="${PROJECT_VERSION}"
    $<$<BOOL:${KM_CHECK}>:KM_CHECK=1>)
if(KM_SANITIZE)
    target_compile_options(km_flags INTERFACE
        -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(km_flags INTERFACE -fsanitize=address,undefined)
endif()
if(KM_FUZZ)
    target_compile_options(km_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined)
    target_link_options(km_flags INTERFACE -fsanitize=address,undefined)
endif()

# km_library(NAME [DEPS lib...]): every .c/.cpp of this folder becomes library NAME.
function(km_library name)
    cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
    if(sources)
        add_library(${name} STATIC ${sources})
        target_link_libraries(${name} PUBLIC km_flags ${ARG_DEPS})
    else()
        add_library(${name} INTERFACE)
        target_link_libraries(${name} INTERFACE km_flags ${ARG_DEPS})
    endif()
endfunction()
